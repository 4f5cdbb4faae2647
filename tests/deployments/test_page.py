"""The page of a served application in a real Chromium: below a prefix, behind Serve's proxy, and
while a vocoder is killed."""

import psutil
import pytest
from playwright.sync_api import Page, expect

from tests.support.browser import browser_page, needs_chromium
from tests.support.deployments.expendable_app import RECOVERED_WITHIN_S, ExpendableApp
from tests.support.eventually import eventually_sync
from tests.support.web_page import SOUND_ON, problems_of

pytestmark = needs_chromium

SPEAKS_WITHIN_MS = 30_000
# A clause is a take of the socket. A vocoder that dies between two takes breaks nothing off: the
# next take waits for its successor.
ONE_TAKE = "It was a bright cold day in April and the clocks were striking thirteen and " * 3


def state(page: Page, text: str) -> None:
    expect(page.locator("#state")).to_have_text(text, timeout=SPEAKS_WITHIN_MS)


def spoke(page: Page) -> bool:
    """Whether another try to speak reached its end."""
    page.click("#speak")
    page.wait_for_function("() => /Done|Failed/.test(document.getElementById('state').textContent)")
    return page.locator("#state").inner_text() == "Done."


@pytest.fixture
def page(app: ExpendableApp):
    with browser_page(1280, 720, SOUND_ON) as page:
        problems = problems_of(page, app.url)
        page.goto(f"{app.url}/play/")
        assert page.url == f"{app.url}/play"
        page.wait_for_selector("body[data-ready]")
        yield page
        assert problems == []


def test_the_page_speaks_stops_and_survives_a_killed_vocoder(app: ExpendableApp, page: Page):
    page.fill("#text", ONE_TAKE)
    page.click("#speak")
    state(page, "Speaking.")
    page.keyboard.press("Escape")
    state(page, "Stopped.")
    expect(page.locator("#panel-stopped")).to_contain_text("The engines ")  # stopped, or told
    expect(page.locator("#panel-stopped")).to_contain_text("Words heard")

    page.click("#speak")
    state(page, "Speaking.")
    for process in app.replicas("Vocoder"):
        psutil.Process(process.pid).kill()
    expect(page.locator("#panel-trouble")).not_to_be_empty(timeout=SPEAKS_WITHIN_MS)
    expect(page.locator("#panel-trouble")).to_contain_text("Speak again")

    page.fill("#text", "Hello there.")
    eventually_sync(lambda: spoke(page), RECOVERED_WITHIN_S, "the page speaks again", every_s=0.5)
    expect(page.locator("#panel-trouble")).to_be_empty()
