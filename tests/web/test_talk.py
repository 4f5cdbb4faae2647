"""A conversation by voice: what the microphone hears goes to the server, its answer is played, and
a voice or a key stops it."""

import re
from dataclasses import replace

import numpy as np
import pytest
from playwright.sync_api import expect

from app.audio.pcm import to_s16le
from app.hearing.cancel_chain import _LEGS as LEGS
from tests.support.browser import needs_chromium
from tests.support.eventually import eventually_sync
from tests.support.fakes import tone
from tests.support.live_synthesizer import LiveSynthesizer
from tests.support.timed_text import TEXT, TIMES, TOKEN, TOLD
from tests.support.web_page import in_module, speak, violations, wait_for_state
from tests.support.web_sound import heard, listen, sound_of, with_capture
from tests.support.web_talk import TRACK_STATES, TRACKS, WITHIN_MS, WITHIN_S, talk_page

pytestmark = [pytest.mark.full, needs_chromium]

RATE = 24_000

HOLD_CANCEL = """() => {
    const { send } = WebSocket.prototype;
    window.sendHeld = () => { WebSocket.prototype.send = send; };
    WebSocket.prototype.send = function (text) {
        if (JSON.parse(text).type !== "response.cancel") return send.call(this, text);
        const restore = window.sendHeld;
        window.sendHeld = () => { restore(); send.call(this, text); };
    };
}"""


@pytest.fixture(scope="module")
def world(chromium):
    """One server and one page for this file."""
    synthesizer = LiveSynthesizer()
    with talk_page(chromium, synthesizer, TEXT, proxied=with_capture) as talk:
        listen(talk.page)
        talk.page.evaluate(TRACKS)
        yield talk, synthesizer


@pytest.fixture
def talk(world):
    talk, synthesizer = world
    synthesizer.num_chunks, synthesizer.words = 3, TIMES
    talk.page.evaluate("() => { window.sent = []; window.streams = []; }")
    heard(talk.page)
    yield talk
    talk.end()


@pytest.fixture
def long_answer(world):
    """The answer does not end before it is stopped."""
    _, synthesizer = world
    synthesizer.num_chunks, synthesizer.words = 1000, ()


@pytest.fixture
def whole_answer(world):
    """The server has sent ten seconds of it long before they are heard."""
    _, synthesizer = world
    synthesizer.num_chunks, synthesizer.words = 50, ()


def speaking(talk):
    """The ears of a server whose answer is heard."""
    ears = talk.begin()
    ears.hears("what does it cost")
    talk.state("It speaks.")
    return ears


def test_the_microphone_goes_to_the_server_and_the_answer_is_played(talk):
    ears = talk.begin()
    eventually_sync(lambda: len(ears.accepted) > RATE, WITHIN_S, "half a second is heard")
    loudness = np.abs(np.frombuffer(ears.accepted[-RATE:], "<i2")).max()
    assert loudness > 1000  # the speaker of the fake microphone
    talk.answers(ears, "what does it cost")
    talk.lines("You: what does it cost", f"It: {TEXT}")
    spoken = np.frombuffer(to_s16le(tone(15 * TOKEN)), "<i2")
    assert np.array_equal(sound_of(heard(talk.page)), sound_of(spoken))


def test_the_browser_is_asked_to_take_the_pages_own_sound_out(talk):
    talk.begin()
    settings = "window.streams[0].getAudioTracks()[0].getSettings()"
    assert talk.page.evaluate(settings)["echoCancellation"] is True
    expect(talk.page.locator("#panel-talk")).not_to_contain_text("headphones")


def test_a_voice_silences_the_answer_and_the_server_is_told_what_was_heard(talk, long_answer):
    ears = speaking(talk)
    talk.page.wait_for_timeout(200)
    ears.begins(at_s=0.1)
    talk.state("You speak.")
    talk.lines("You: what does it cost", re.compile(r"It: .*\(interrupted\)"))
    talk.page.wait_for_timeout(100)
    played = sound_of(heard(talk.page))
    (cut,) = talk.sent("conversation.item.truncate")
    # The tone has zeros at its ends, which a quantum may cut off.
    assert len(played) == pytest.approx(cut["audio_end_ms"] * RATE / 1e3, abs=8)
    assert len(sound_of(heard(talk.page))) == 0
    eventually_sync(lambda: talk.sent("conversation.item.retrieve"), WITHIN_S, "the page asks")


def test_what_was_heard_of_an_answer_stays_in_its_line(talk, world):
    _, synthesizer = world
    slow = 10  # so that the voice comes within a word
    synthesizer.num_chunks = 3 * slow
    synthesizer.words = tuple(
        replace(word, start=slow * word.start, end=slow * word.end) for word in TIMES
    )
    ears = speaking(talk)
    half_of_costs_ms = slow * (TOLD[1][3] + TOLD[1][4]) / 2
    talk.page.wait_for_function(
        "ms => window.sent.some(e => e.played_ms > ms)", arg=half_of_costs_ms
    )
    ears.begins()
    talk.lines("You: what does it cost", re.compile(r"It: It costs( \$5)? \(interrupted\)"))


def test_the_chain_of_the_cancel_is_drawn_leg_by_leg(talk, long_answer):
    ears = speaking(talk)
    ears.begins()
    in_server = talk.page.locator("table", has_text="The interruption, in the server")
    expect(in_server).to_have_count(1, timeout=WITHIN_MS)
    names = [text.partition(":")[0] for text in in_server.locator("th").all_inner_texts()]
    expected = {"notice", "silence", "tts_sent", "tts_ack", "llm", "listening"}
    assert expected <= set(names) <= {name for name in LEGS if name != "chain"}
    in_page = talk.page.locator("table", has_text="The interruption, in the page")
    assert in_page.locator("th").count() == 2
    assert talk.page.locator("#panel-talk .bar").count() == len(names) + 2
    assert violations(talk.page) == []
    usual = talk.page.viewport_size
    talk.page.set_viewport_size({"width": 390, "height": 844})
    talk.page.emulate_media(color_scheme="dark")
    assert violations(talk.page) == []
    talk.page.emulate_media(color_scheme="light")
    talk.page.set_viewport_size(usual)


def test_the_page_knows_every_leg_of_the_chain(talk):
    assert in_module(talk.page, "legs", "m.BARGE_IN.map(([name]) => name)") == list(LEGS)


def test_a_voice_drops_what_the_server_had_sent_already(talk, whole_answer):
    ears = speaking(talk)
    talk.has_the_whole_answer()
    ears.begins()
    expect(talk.page.locator("#panel-talk")).to_contain_text(
        "The server had sent the whole answer."
    )
    assert len(sound_of(heard(talk.page))) < 50 * 5 * TOKEN


@pytest.mark.parametrize("key", ["Escape", "Space"])
def test_a_key_stops_the_answer_and_it_goes_on_to_listen(talk, world, long_answer, key):
    """The button that began the conversation has the focus."""
    _, synthesizer = world
    ears = speaking(talk)
    talk.page.keyboard.press(key)
    talk.state("It listens.")
    assert len(talk.sent("response.cancel")) == 1
    expect(talk.page.locator("#panel-trouble")).to_be_empty()
    synthesizer.num_chunks = 3
    talk.answers(ears, "and this")


def test_a_stop_that_the_server_gets_late_does_not_stop_the_next_answer(talk, world, long_answer):
    _, synthesizer = world
    ears = speaking(talk)
    talk.page.evaluate(HOLD_CANCEL)
    talk.page.keyboard.press("Escape")
    talk.state("It listens.")
    ears.hears("and this")
    talk.state("It speaks.")
    talk.page.evaluate("window.sendHeld()")
    made = synthesizer.num_made
    eventually_sync(lambda: synthesizer.num_made > made + 10, WITHIN_S, "it is made on")
    talk.state("It speaks.")


def test_to_play_an_utterance_again_ends_the_conversation(talk):
    talk.page.click("#speak")
    wait_for_state(talk.page, "Done.")
    talk.begin()
    slider = talk.page.get_by_label("Play again from")
    slider.focus()
    talk.page.keyboard.press("Home")
    talk.page.keyboard.press("ArrowRight")
    talk.state("The conversation has ended.")
    wait_for_state(talk.page, "Done.")


def test_an_end_lets_the_microphone_go_and_closes_the_hearing(talk, long_answer):
    ears = speaking(talk)
    talk.end()
    assert talk.page.evaluate(TRACK_STATES) == ["ended"]
    eventually_sync(lambda: ears.is_closed, WITHIN_S, "the hearing is closed")
    talk.page.wait_for_timeout(50)
    heard(talk.page)
    talk.page.wait_for_timeout(50)
    assert len(sound_of(heard(talk.page))) == 0


def test_a_typed_text_ends_the_conversation(talk):
    talk.begin()
    speak(talk.page, "Hello there.")
    talk.state("The conversation has ended.")


def test_a_noise_without_a_word_is_not_answered(talk):
    ears = talk.begin()
    ears.hears("")
    talk.state("It listens.")
    talk.lines()
