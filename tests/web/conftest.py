"""One Chromium for all tests of the page in a process: its start takes longer than most tests."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest
from playwright.sync_api import Browser, Page, Playwright, sync_playwright

from tests.support.api_clients import serving
from tests.support.audio_samples import spoken_vowels
from tests.support.browser import launched
from tests.support.hostile_uploads import encoded
from tests.support.live_synthesizer import LiveSynthesizer
from tests.support.web_client import Sides
from tests.support.web_page import SOUND_ON
from tests.support.web_talk import ALLOWED

MICROPHONE_RATE = 48_000
FAKE_MICROPHONE = (ALLOWED, "--use-fake-device-for-media-stream")


@pytest.fixture(scope="package")
def playwright() -> Iterator[Playwright]:
    """A process may have one at a time."""
    with sync_playwright() as playwright:
        yield playwright


@pytest.fixture(scope="package")
def chromium(playwright: Playwright, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """Its microphone hears a speaker, and every page may use it."""
    path = tmp_path_factory.mktemp("microphone") / "speaker.wav"
    path.write_bytes(encoded(spoken_vowels(3, 12.0, MICROPHONE_RATE), MICROPHONE_RATE))
    file = f"--use-file-for-fake-audio-capture={path}"
    with launched(playwright, SOUND_ON, *FAKE_MICROPHONE, file) as browser:
        yield browser


@pytest.fixture(scope="module")
def browser(chromium: Browser) -> Iterator[Page]:
    """One page for a file. Its tests send it to their servers."""
    page = chromium.new_page(viewport={"width": 1280, "height": 720})
    yield page
    page.close()


@pytest.fixture
def sides(browser: Page) -> Iterator[Callable[..., Sides]]:
    """A page of a server with this synthesizer and these options."""
    with ExitStack() as servers:

        def opened(speaker: object = None, **options: object) -> Sides:
            speaker = speaker or LiveSynthesizer()
            url = servers.enter_context(serving(speaker, **options))
            browser.goto(f"{url}/play/icon.svg")
            return Sides(browser, speaker)

        yield opened
        browser.goto("about:blank")
