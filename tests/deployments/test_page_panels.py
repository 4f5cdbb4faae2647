"""What the panels of the page show of a served application: every leg of an utterance and of its
cancel, from all of its processes."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import FloatRect, Page, expect

from app.sessions import timeline
from tests.support.browser import browser_page, needs_chromium
from tests.support.deployments.served_app import LONG_TEXT, ServedApp
from tests.support.web_page import SOUND_ON, picture_folder, problems_of, wait_for_state

pytestmark = needs_chromium

TEXT = (
    "Hello there. You hear this sentence while the next one is still being made. "
    "Press Escape at any word, and it stops."
)
CANCEL_LEGS = {name for name in timeline._CANCEL if name.startswith("cancel_")}
INTERRUPTIONS = 20
INTERRUPTED_WITHIN_MS = 120_000
WITHIN_MS = 60_000


@pytest.fixture(scope="module")
def page(served: ServedApp) -> Iterator[Page]:
    with browser_page(1000, 1500, SOUND_ON) as page:
        problems = problems_of(page, served.url)
        page.set_default_timeout(WITHIN_MS)
        page.goto(f"{served.url}/play")
        page.wait_for_selector("body[data-ready]")
        yield page
        assert problems == []


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return picture_folder(tmp_path_factory)


def legs_of(page: Page, caption: str) -> dict[str, float]:
    """Milliseconds by name."""
    table = page.locator("#panel-timeline table", has_text=caption)
    expect(table).to_have_count(1, timeout=WITHIN_MS)
    names = [text.partition(":")[0] for text in table.locator("th").all_inner_texts()]
    values = [text.removesuffix(" ms") for text in table.locator("td.number").all_inner_texts()]
    return dict(zip(names, map(float, values), strict=True))


def around(page: Page) -> FloatRect:
    """What was stopped, and where the time went."""
    first = page.locator("#panel-stopped").bounding_box()
    last = page.locator("#panel-timeline").bounding_box()
    assert first is not None
    assert last is not None
    height = last["y"] + last["height"] - first["y"]
    return {"x": first["x"], "y": first["y"], "width": first["width"], "height": height}


def test_the_legs_until_the_first_sound_add_up_to_it(page: Page, folder: Path) -> None:
    page.fill("#text", TEXT)
    page.click("#speak")
    wait_for_state(page, "Done.")
    in_server = legs_of(page, "In the server, until the first sound")
    assert set(in_server) == timeline._FIRST_AUDIO.keys() - {"first_audio", "whole"}
    in_page = legs_of(page, "In the page")
    server_ms, page_ms = sum(in_server.values()), sum(in_page.values())
    assert 0 < server_ms <= page_ms
    page.screenshot(path=folder / "page-spoken.png")
    page.set_viewport_size({"width": 390, "height": 844})
    page.emulate_media(color_scheme="dark")
    page.screenshot(path=folder / "page-phone.png")
    page.set_viewport_size({"width": 1000, "height": 1500})
    page.emulate_media(color_scheme="light")


def test_a_stop_shows_every_leg_of_its_cancel(page: Page, folder: Path) -> None:
    page.fill("#text", LONG_TEXT * 2)
    page.click("#speak")
    wait_for_state(page, "Speaking.")
    page.wait_for_timeout(1000)
    page.keyboard.press("Escape")
    wait_for_state(page, "Stopped.")
    legs = legs_of(page, "In the server, of the cancel")
    assert set(legs) == CANCEL_LEGS
    assert all(value >= 0 for value in legs.values())
    page.screenshot(path=folder / "page-stopped.png", full_page=True, clip=around(page))


@pytest.mark.long
def test_interruptions_of_a_served_application_are_measured(page: Page, folder: Path) -> None:
    page.get_by_label("Times").fill(str(INTERRUPTIONS))
    panel = page.locator("#panel-barge-in")
    panel.get_by_role("button").click()
    state = panel.get_by_role("status")
    expect(state).to_have_text(
        f"{INTERRUPTIONS} interruptions were measured.", timeout=INTERRUPTED_WITHIN_MS
    )
    panel.screenshot(path=folder / "page-barge-in.png")
