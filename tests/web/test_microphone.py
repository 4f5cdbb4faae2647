"""A microphone that cannot be used is told in plain words, and a file can be chosen instead."""

import pytest

from tests.support.browser import needs_chromium
from tests.support.live_synthesizer import LiveSynthesizer
from tests.support.web_page import web_page

pytestmark = [pytest.mark.long, needs_chromium]

REFUSE = """name => {
    navigator.mediaDevices.getUserMedia =
        () => Promise.reject(new DOMException("no", name));
}"""


@pytest.fixture(scope="module")
def page(chromium):
    with web_page(chromium, LiveSynthesizer()) as page:
        page.click("summary:text('Make a voice')")
        yield page


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("NotAllowedError", "microphone_denied"),
        ("NotFoundError", "microphone_missing"),
        ("NotReadableError", "microphone_busy"),
        ("AbortError", "microphone_failed"),
    ],
)
def test_a_refused_microphone_has_a_message_of_its_own(page, name, code):
    page.evaluate(REFUSE, name)
    page.click("button:text-is('Record')")
    page.wait_for_selector(f"#panel-trouble[data-code='{code}']")
    assert len(page.locator("#panel-trouble").inner_text()) > 20
    assert page.locator("button:text-is('Record')").is_enabled()
