"""A real Chromium, the one of the machine. Tests without one are skipped."""

import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import pytest
from playwright.sync_api import Browser, Page, Playwright, expect, sync_playwright

expect.set_options(timeout=30_000)  # ms; a busy machine

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
needs_chromium = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium here")


@contextmanager
def launched(
    playwright: Playwright, *switches: str, sound_server: Mapping[str, str] | None = None
) -> Iterator[Browser]:
    """`switches` are more switches of its command line. `sound_server`: the environment in which it
    finds one; without it the sound is played to no device."""
    browser = playwright.chromium.launch(
        executable_path=CHROMIUM,
        args=["--no-sandbox", *switches],
        ignore_default_args=["--mute-audio"] if sound_server else [],
        env=dict(sound_server) if sound_server else None,
    )
    try:
        yield browser
    finally:
        browser.close()


@contextmanager
def browser_page(width: int = 1280, height: int = 720, *switches: str) -> Iterator[Page]:
    """A page of a Chromium of its own."""
    with sync_playwright() as playwright, launched(playwright, *switches) as browser:
        yield browser.new_page(viewport={"width": width, "height": height})
