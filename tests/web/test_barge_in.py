"""Interruptions again and again, and their histograms."""

import pytest

from app.core import FinishReason
from tests.support.browser import needs_chromium
from tests.support.live_synthesizer import LiveSynthesizer
from tests.support.web_page import wait_for_state, web_page

pytestmark = [pytest.mark.full, needs_chromium]

TABLES = ("Silence in the page", "Acknowledgement at the page", "Stop in the server")


@pytest.fixture
def synthesizer():
    return LiveSynthesizer(num_chunks=200, chunk_s=0.02)


@pytest.fixture
def page(chromium, synthesizer):
    with web_page(chromium, synthesizer) as page:
        yield page


def run(page, num, within_ms=60_000):
    page.get_by_label("Times").fill(str(num))
    page.click("#panel-barge-in button:text-is('Start')")
    page.wait_for_selector("#panel-barge-in [role=status]:not(:empty)", timeout=within_ms)


def counted(page, caption):
    """How many interruptions a histogram has."""
    table = page.locator(
        "#panel-barge-in table.bars", has=page.locator(f"caption:text-is('{caption}')")
    )
    return sum(int(text) for text in table.locator("td.number").all_inner_texts())


def test_each_interruption_is_counted_in_each_histogram_and_stops_the_server(page, synthesizer):
    run(page, 3)
    assert page.locator("#panel-barge-in [role=status]").inner_text().startswith("3 interruptions")
    assert [counted(page, caption) for caption in TABLES] == [3, 3, 3]
    assert page.locator("#panel-barge-in table.facts tr").count() == 3
    reports = synthesizer.reports()
    assert [report.finish for report in reports] == [FinishReason.CANCELLED] * 3
    assert all(report.audio_sent_ms > 0 for report in reports)


@pytest.mark.long
def test_a_run_can_be_ended(page):
    page.get_by_label("Times").fill("100")
    page.click("#panel-barge-in button:text-is('Start')")
    page.click("#panel-barge-in button:text-is('End')")
    page.wait_for_selector("#panel-barge-in button:text-is('Start')")
    assert counted(page, TABLES[0]) == 1


@pytest.mark.long
def test_a_run_ends_and_is_told_where_the_server_refuses(page):
    page.evaluate(
        "() => { document.getElementById('voice').add(new Option('x', 'nobody', 1, 1)); }"
    )
    run(page, 3)
    assert page.locator("#panel-trouble").get_attribute("data-code") == "voice_not_found"
    assert "failed" in page.locator("#panel-barge-in [role=status]").inner_text()


@pytest.mark.long
def test_escape_ends_a_run(page):
    page.get_by_label("Times").fill("100")
    page.click("#panel-barge-in button:text-is('Start')")
    wait_for_state(page, "Speaking.")
    page.keyboard.press("Escape")
    page.wait_for_selector("#panel-barge-in [role=status]:text('were measured')")
    assert page.locator("#panel-trouble").inner_text() == ""


@pytest.mark.long
def test_a_hundred_interruptions_are_measured(page, synthesizer):
    run(page, 100, within_ms=200_000)
    assert [counted(page, caption) for caption in TABLES] == [100, 100, 100]
    assert len(synthesizer.reports()) == 100
