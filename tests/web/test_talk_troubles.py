"""What goes wrong in a conversation is told in plain words, and the next one works."""

import httpx
import pytest
from playwright.sync_api import expect

from app.api.realtime.parts import RealtimeParts
from app.errors import LanguageModelFailed, Overloaded, Unavailable
from tests.support.api_clients import serving
from tests.support.api_keys import key
from tests.support.browser import needs_chromium
from tests.support.live_synthesizer import LiveSynthesizer
from tests.support.scripted_hearing import ScriptedHearing, ScriptedModel
from tests.support.web_page import web_page
from tests.support.web_talk import Talk, talk_page

pytestmark = [pytest.mark.full, needs_chromium]

BREAKS = [LanguageModelFailed("the model failed", code="llm_cut_off")]
WITHOUT_SOCKETS = """() => {
    window.WebSocket = class extends EventTarget {
        constructor() { super(); setTimeout(() => this.dispatchEvent(new Event("close"))); }
        close() {}
    };
}"""
REFUSED = """name => {
    const { prototype } = MediaDevices;
    window.ask ??= prototype.getUserMedia;
    prototype.getUserMedia = name === ""
        ? window.ask : () => Promise.reject(new DOMException("no", name));
}"""


@pytest.fixture(scope="module")
def synthesizer():
    return LiveSynthesizer()


@pytest.fixture(scope="module")
def world(chromium, synthesizer):
    with talk_page(chromium, synthesizer, "Hello.", BREAKS, "And again.") as talk:
        yield talk


@pytest.fixture
def talk(world):
    yield world
    world.end()


def talks(talk):
    """Without a reload, and then nothing is said to be wrong."""
    ears = talk.begin()
    expect(talk.page.locator("#panel-trouble")).to_be_empty()
    talk.answers(ears, "hello")


def test_a_language_model_that_breaks_off_is_told_and_the_conversation_goes_on(talk):
    talks(talk)
    ears = talk.hearing.calls[-1]
    ears.hears("go on")
    talk.says("broke off its answer")
    talk.state("It listens.")
    talk.answers(ears, "again")


def test_a_recogniser_that_fails_is_told_and_the_conversation_goes_on(talk):
    ears = talk.begin()
    ears.begins()
    ears.ends()
    ears.fails("recogniser_died")
    talk.says("did not understand what you said")
    talk.state("It listens.")
    talk.answers(ears, "again")


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (Overloaded("all recognisers have calls"), "no room"),
        (Unavailable("it is away", code="hearing_unavailable"), "does not hear now"),
    ],
)
def test_a_hearing_that_cannot_begin_is_told(talk, error, told):
    talk.hearing.error = error
    talk.page.click("#talk")
    talk.says(told)
    talk.end()
    talks(talk)


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("NotAllowedError", "does not let this page use the microphone"),
        pytest.param("NotFoundError", "There is no microphone", marks=pytest.mark.long),
        pytest.param("NotReadableError", "Another program", marks=pytest.mark.long),
        pytest.param("AbortError", "cannot be used", marks=pytest.mark.long),
    ],
)
def test_a_microphone_that_cannot_be_used_is_told(talk, name, told):
    talk.page.evaluate(REFUSED, name)
    talk.page.click("#talk")
    talk.says(told)
    talk.page.evaluate(REFUSED, "")
    talks(talk)


def test_a_microphone_that_is_taken_away_is_told(talk):
    talk.page.evaluate(
        """() => {
            const { getUserMedia } = MediaDevices.prototype;
            MediaDevices.prototype.getUserMedia = async function (wish) {
                const stream = await getUserMedia.call(this, wish);
                window.track = stream.getAudioTracks()[0];
                return stream;
            };
        }"""
    )
    talk.begin()
    talk.page.evaluate("() => window.track.dispatchEvent(new Event('ended'))")
    talk.says("taken away")
    talk.state("The conversation has ended.")


def test_a_worklet_that_cannot_be_loaded_is_told(talk):
    talk.page.evaluate(
        """() => {
            window.add = AudioWorklet.prototype.addModule;
            AudioWorklet.prototype.addModule = () => Promise.reject(new Error());
        }"""
    )
    talk.page.click("#talk")
    talk.says("could not be loaded")
    talk.page.evaluate("() => { AudioWorklet.prototype.addModule = window.add; }")
    talks(talk)


def test_a_way_without_sockets_is_told(talk):
    talk.page.evaluate(f"() => {{ window.kept = window.WebSocket; ({WITHOUT_SOCKETS})(); }}")
    talk.page.click("#talk")
    talk.says("Sockets are forbidden")
    talk.page.evaluate("() => { window.WebSocket = window.kept; }")
    talks(talk)


def test_a_server_that_goes_is_told(browser):
    hearing = ScriptedHearing()
    parts = RealtimeParts(hearing, ScriptedModel("Hello."))
    with serving(LiveSynthesizer(num_chunks=1000), realtime=parts) as url:
        browser.goto(f"{url}/play")
        talk = Talk(browser, hearing)
        talk.begin().hears("hello")
        talk.state("It speaks.")
    talk.says("The connection to the server broke off.")
    talk.state("The conversation has ended.")
    browser.click("#talk")
    talk.says("The server does not answer.")
    browser.goto("about:blank")


def test_a_conversation_that_another_client_stops_is_told(talk, synthesizer):
    talks(talk)
    url = talk.page.url.removesuffix("/play")
    take = synthesizer.reports()[-1].session_id
    session_id = take.rsplit("-", 2)[0]
    assert httpx.delete(f"{url}/v1/audio/speech/{session_id}").is_success
    talk.says("was stopped on the server")
    talks(talk)


def test_a_key_opens_the_conversation(chromium):
    keys = (key("red-key", "red", "red", ("speak",)),)
    with talk_page(chromium, LiveSynthesizer(), secret="red-key", keys=keys) as talk:
        talks(talk)


def test_a_server_that_does_not_hear_says_how_to_turn_it_on(chromium):
    with web_page(chromium, LiveSynthesizer()) as page:
        panel = page.locator("#panel-talk")
        expect(panel).to_contain_text("This server does not hear.")
        expect(panel.locator("pre")).to_contain_text("hearing: {}")
        assert page.locator("#talk").count() == 0
