"""The page as its user meets it: speaks and hears, stops, follows the words, by mouse and keys."""

from contextlib import ExitStack

import httpx
import numpy as np
import pytest
from playwright.sync_api import expect

from app.core import FinishReason
from app.word_marks import WordTime
from tests.support.api_clients import serving
from tests.support.browser import needs_chromium
from tests.support.eventually import eventually_sync
from tests.support.live_synthesizer import LiveSynthesizer
from tests.support.timed_text import TEXT, TOKEN, TOLD
from tests.support.web_sound import heard, listen, sound_of, with_capture

pytestmark = [pytest.mark.full, needs_chromium]

WITHIN_MS = 30_000
WITHIN_S = 30
QUANTUM = 128
SLOW = 6  # the words are that many times slower than those of TEXT, so that a test can look
WORDS = tuple(
    WordTime(0, number, SLOW * start * TOKEN, SLOW * end * TOKEN)
    for number, (start, end) in enumerate([(0, 2), (2, 3), (3, 4), (4, 5), (5, 6)])
)
COUNT_WORDS = """() => {
    window.marked = [];
    new MutationObserver((changes) => {
        for (const { target } of changes) {
            if (target.getAttribute("aria-current")) window.marked.push(target.textContent);
        }
    }).observe(document.querySelector(".words"),
        { subtree: true, attributeFilter: ["aria-current"] });
}"""


def speaker(num_chunks=3, chunk_s=0.01, words=()):
    return LiveSynthesizer(num_chunks, chunk_s, words=words)


@pytest.fixture
def opened(browser):
    """The page of a server with this synthesizer. What it plays is kept."""
    with ExitStack() as servers:

        def open_page(synthesizer):
            url = servers.enter_context(serving(synthesizer, proxied=with_capture))
            browser.goto(f"{url}/play")
            browser.wait_for_selector("body[data-ready]")
            listen(browser)
            return browser

        yield open_page
        browser.goto("about:blank")


def say(page, text="Hello there.", **fields):
    page.fill("#text", text)
    for name, value in fields.items():
        control = page.locator(f"#{name}")
        if control.evaluate("(control) => control.tagName") == "SELECT":
            control.select_option(value)
        else:
            control.fill(str(value))
    page.click("#speak")


def pcm_of(page, text="Hello there."):
    """What the server sends for the text, as int16."""
    body = {"model": "english", "input": text, "voice": "default", "response_format": "pcm"}
    url = page.url.removesuffix("/play")
    return np.frombuffer(httpx.post(f"{url}/v1/audio/speech", json=body).content, dtype=np.int16)


def state(page, text):
    expect(page.locator("#state")).to_have_text(text, timeout=WITHIN_MS)


def finishes(synthesizer):
    """Of all sessions, once they have ended."""

    def have_ended():
        return all(report.finish for report in synthesizer.reports())

    eventually_sync(have_ended, WITHIN_S, "the sessions have ended")
    return [report.finish for report in synthesizer.reports()]


def test_what_the_page_plays_is_what_the_server_sends(opened):
    page = opened(speaker(num_chunks=6))
    say(page)
    state(page, "Done.")
    assert np.array_equal(sound_of(heard(page)), sound_of(pcm_of(page)))
    expect(page.locator("#counts")).to_contain_text("1.2 s were played, 0.0 s wait. Gaps: 0.")


def test_text_word_by_word_is_spoken_as_it_comes(opened):
    synthesizer = speaker(num_chunks=6)
    page = opened(synthesizer)
    text = "This is the first sentence of it. " + "And here is another one. " * 3
    say(page, text, pace="pieces")
    eventually_sync(synthesizer.reports, WITHIN_S, "the first take is spoken")
    begun = page.evaluate("async () => (await import('/play/main.js')).page.utterance.text")
    assert begun == text[: len(begun)]
    assert len(begun) < len(text)
    state(page, "Done.")
    assert len(synthesizer.reports()) > 1
    assert page.evaluate("async () => (await import('/play/main.js')).page.utterance.text") == text


def test_gaps_of_a_slow_server_are_counted(opened):
    page = opened(speaker(num_chunks=4, chunk_s=0.5))
    say(page, start="soonest", prebuffer=0)
    state(page, "Done.")
    expect(page.locator("#counts")).to_contain_text("Gaps: 3")


def test_a_prebuffer_bridges_the_gaps_of_a_slow_server(opened):
    page = opened(speaker(num_chunks=4, chunk_s=0.5))
    say(page, start="soonest", prebuffer=10_000)  # until all has come, however slow
    state(page, "Done.")
    expect(page.locator("#counts")).to_contain_text("Gaps: 0.")


STOPS = {
    "the button": lambda page: page.click("#stop"),
    "Escape in the text": lambda page: page.locator("#text").press("Escape"),
    "the space bar on Speak": lambda page: page.locator("#speak").press(" "),
    "the space bar on the page": lambda page: (
        page.evaluate("document.activeElement.blur()"),
        page.keyboard.press(" "),
    ),
}


@pytest.mark.parametrize(
    "way", ["the button", *(pytest.param(way, marks=pytest.mark.long) for way in [*STOPS][1:])]
)
def test_a_stop_is_silent_at_once_and_stops_the_server(opened, way):
    synthesizer = speaker(num_chunks=1000)
    page = opened(synthesizer)
    say(page)
    state(page, "Speaking.")
    page.wait_for_timeout(200)
    STOPS[way](page)
    state(page, "Stopped.")
    page.wait_for_timeout(100)
    played = sound_of(heard(page))
    times, ack = page.evaluate(
        """async () => {
            const { utterance } = (await import("/play/main.js")).page;
            return [utterance.times, utterance.acknowledgement];
        }"""
    )
    assert ack["state"] in ("stopped", "stopping")  # the fake's session may take a moment to end
    assert times["silent"] - times["stopAsked"] < 50
    assert finishes(synthesizer) == [FinishReason.CANCELLED]
    # The tone has zeros at its ends, which a quantum may cut off.
    assert len(played) == pytest.approx(ack["heard"]["audio_ms"] * 24, abs=8)
    assert page.locator("#stop").is_disabled()
    expect(page.locator("#panel-stopped")).to_contain_text("Words heard")


def test_a_space_in_the_text_stops_nothing(opened):
    page = opened(speaker(num_chunks=1000))
    say(page)
    state(page, "Speaking.")
    page.locator("#text").press(" ")
    page.wait_for_timeout(50)
    state(page, "Speaking.")
    assert page.input_value("#text") == "Hello there. "


def test_a_stop_while_only_the_page_plays_drops_what_waits(opened):
    page = opened(speaker(num_chunks=10, chunk_s=0))
    say(page)
    state(page, "Speaking.")
    ended = "async () => (await import('/play/main.js')).page.utterance.end !== null"
    eventually_sync(lambda: page.evaluate(ended), WITHIN_S, "the server has sent everything")
    page.keyboard.press("Escape")
    state(page, "Stopped.")
    expect(page.locator("#panel-stopped")).to_contain_text("The server had sent everything.")
    assert len(sound_of(heard(page))) < 10 * 5 * TOKEN


def test_the_next_text_stops_the_one_before(opened):
    synthesizer = speaker(num_chunks=1000)
    page = opened(synthesizer)
    say(page)
    state(page, "Speaking.")
    synthesizer.num_chunks = 3
    page.click("#speak")
    state(page, "Done.")
    assert finishes(synthesizer) == [FinishReason.CANCELLED, FinishReason.STOP]


def test_words_are_marked_in_their_order_while_they_are_heard(opened):
    page = opened(speaker(num_chunks=8, words=WORDS))
    page.evaluate(COUNT_WORDS)
    say(page, TEXT)
    state(page, "Done.")
    assert page.evaluate("window.marked") == [text for text, *_ in TOLD]
    assert page.locator(".words").inner_text() == TEXT
    assert page.locator(".word.heard").count() == len(TOLD)


def test_a_click_on_a_word_plays_what_is_kept_from_there(opened):
    page = opened(speaker(num_chunks=8, words=WORDS))
    say(page, TEXT)
    state(page, "Done.")
    heard(page)
    page.get_by_role("button", name="today.").click()
    state(page, "Playing again.")
    state(page, "Done.")
    start = WORDS[4].start
    assert np.array_equal(sound_of(heard(page)), sound_of(pcm_of(page, TEXT)[start:]))


def test_a_stop_of_what_is_played_again_is_no_cancel(opened):
    synthesizer = speaker(num_chunks=8, words=WORDS)
    page = opened(synthesizer)
    say(page, TEXT)
    state(page, "Done.")
    page.get_by_role("button", name="It").click()
    state(page, "Playing again.")
    page.keyboard.press("Escape")
    state(page, "Silent.")
    assert page.locator("#panel-stopped").is_hidden()


def test_everything_can_be_done_with_the_keyboard_alone(opened):
    page = opened(speaker(num_chunks=8, words=WORDS))
    page.keyboard.press("Tab")
    expect(page.locator("#text")).to_be_focused()
    page.keyboard.press("Control+a")
    page.keyboard.type(TEXT)
    page.keyboard.press("Control+Enter")
    state(page, "Done.")
    for _ in range(30):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.textContent") == "$5":
            break
    page.keyboard.press("Enter")
    state(page, "Playing again.")
    page.keyboard.press("Escape")
    state(page, "Silent.")
