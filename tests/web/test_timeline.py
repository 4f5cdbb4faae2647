"""The panel that shows where the time of an utterance went."""

import re

import pytest

from tests.support.browser import needs_chromium
from tests.support.live_synthesizer import LiveSynthesizer
from tests.support.web_page import speak, wait_for_state, web_page

FIRST_TAKE = re.compile(r"/v1/sessions/.*-\d+-0$")
REPORT = {"session_id": "a-0-0", "finish": "cancelled", "audio_sent_ms": 400}
MARKS = {"received": 5.0, "claimed": 5.002, "cancel_received": 6.0, "cancel_logged": 6.001}
MARKS |= {"t3_told": 6.003, "t3_stopped": 6.011, "acknowledged": 6.02}
LEGS = {
    "cancel_to_registry": "1.0 ms",
    "cancel_to_t3": "2.0 ms",
    "cancel_last_step": "8.0 ms",
    "cancel_engine": "11.0 ms",
    "cancel_ack": "20.0 ms",
}

pytestmark = [pytest.mark.full, needs_chromium]


@pytest.fixture(scope="module")
def page(chromium):
    with web_page(chromium, LiveSynthesizer(num_chunks=4, chunk_s=0.02)) as page:
        yield page


def rows_of(page, caption):
    """The names and values of the table with this caption."""
    page.wait_for_selector(f"#panel-timeline caption:text-is('{caption}')")
    table = page.locator("#panel-timeline table", has_text=caption)
    rows = table.locator("tr").all()
    return {row.locator("th").inner_text(): row.locator("td").last.inner_text() for row in rows}


def test_an_utterance_tells_its_first_sound_and_its_length(page):
    speak(page, "Hello there.")
    facts = rows_of(page, "This utterance")
    assert facts["Sound received"] == "0.80 s"
    assert facts["Gaps in the sound"] == "0"
    received, played = facts["First sound received"], facts["First sound played"]
    assert 0 < int(received.removesuffix(" ms")) <= int(played.removesuffix(" ms"))


def test_legs_of_the_page_and_of_the_server_are_bars(page):
    speak(page, "Hello there.")
    in_page = rows_of(page, "In the page")
    assert len(in_page) == 3
    in_server = rows_of(page, "In the server, until the first sound")
    assert any(name.startswith("claim:") for name in in_server)
    assert all(value.endswith(" ms") for value in (in_page | in_server).values())
    assert page.locator("#panel-timeline .bar").count() == len(in_page) + len(in_server)


def test_a_stop_adds_the_legs_of_the_cancel(page):
    legs = legs_of_a_stop(page, [{"vocoder_dropped": 6.012}])
    assert legs == LEGS | {"cancel_vocoder": "12.0 ms"}


def test_a_vocoder_that_stops_after_the_acknowledgement_is_shown(page):
    reports = [{}, {}, {"vocoder_dropped": 6.032}]
    assert legs_of_a_stop(page, reports) == LEGS | {"cancel_vocoder": "32.0 ms"}


def test_a_vocoder_that_never_tells_its_stop_is_left_out(page):
    assert legs_of_a_stop(page, [{}]) == LEGS


def legs_of_a_stop(page, further_marks):
    """Of a stop that a whole server reports: here one process is all of it. `further_marks`: of
    the answers in order; the last answer stays."""
    answers = iter(further_marks[:-1])

    def answer(route):
        marks = MARKS | next(answers, further_marks[-1])
        route.fulfill(json=dict(REPORT, marks=marks))

    page.route(FIRST_TAKE, answer)
    page.fill("#text", "This is long. " * 20)
    page.click("#speak")
    wait_for_state(page, "Speaking.")
    page.keyboard.press("Escape")
    legs = rows_of(page, "In the server, of the cancel")
    page.unroute(FIRST_TAKE)
    return {name.partition(":")[0]: value for name, value in legs.items()}


def test_the_course_of_the_playback_is_drawn_and_told(page):
    speak(page, "Hello there.")
    told = page.locator("#panel-timeline figcaption").all_inner_texts()
    assert [text.partition(":")[0] for text in told] == [
        "Lead of playback",
        "Speech tokens received",
        "Free slots",
    ]
    assert "last 20" in told[1]
    points = page.locator("#panel-timeline polyline").first.get_attribute("points")
    assert len(points.split()) > 5
