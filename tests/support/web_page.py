"""The page of app/web in a real Chromium, served by the real application.

A test fails where the page throws, breaks its Content-Security-Policy, or asks another host.
"""

import os
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, ConsoleMessage, Page, Request

from tests.support.api_clients import serving

SOUND_ON = "--autoplay-policy=no-user-gesture-required"
READY = "body[data-ready]"


@contextmanager
def web_page(
    browser: Browser,
    synthesizer: object,
    *,
    width: int = 1280,
    height: int = 720,
    ready: bool = True,
    **options: object,
) -> Iterator[Page]:
    """`ready`: waits until the page has asked for its voices. `options`: those of `serving`."""
    with (
        serving(synthesizer, **options) as url,
        closing(browser.new_page(viewport={"width": width, "height": height})) as page,
    ):
        problems = problems_of(page, url)
        page.goto(f"{url}/play")
        if ready:
            page.wait_for_selector(READY)
        yield page
        assert problems == []


def problems_of(page: Page, url: str) -> list[str]:
    """What goes wrong in the page from now on; the list grows. The request for an AudioWorklet is
    not seen (findings/playwright_audio_worklet_unseen.sh); the page's policy binds it."""
    problems: list[str] = []

    def logged(message: ConsoleMessage) -> None:
        is_answer = message.text.startswith("Failed to load resource")  # a 4xx, which tests provoke
        if message.type == "error" and not is_answer:
            problems.append(message.text)

    def asked(request: Request) -> None:
        if not request.url.startswith((url, "blob:", "data:")):
            problems.append(f"asked {request.url}")

    page.on("console", logged)
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.on("request", asked)
    return problems


def in_module(page: Page, module: str, expression: str, argument: object = None) -> object:
    """The value of a JavaScript expression over `m`, a module of the page, and `a`."""
    script = f"async (a) => {{ const m = await import('/play/{module}.js'); return {expression}; }}"
    return page.evaluate(script, argument)


def speak(page: Page, text: str, seed: int = 7) -> None:
    """Returns once everything was played."""
    page.fill("#text", text)
    page.fill("#seed", str(seed))
    page.click("#speak")
    wait_for_state(page, "Done.")


def wait_for_state(page: Page, state: str) -> None:
    page.wait_for_function(
        "state => document.getElementById('state').textContent === state", arg=state
    )


def picture_folder(factory: pytest.TempPathFactory) -> Path:
    """SCREENSHOTS names the folder that keeps the pictures of docs/page.md."""
    return Path(os.environ.get("SCREENSHOTS", factory.mktemp("pictures")))


def violations(page: Page) -> list[tuple[str, list[str]]]:
    """What axe-core finds: the rule, and the elements."""
    return [
        (each["id"], [node["html"] for node in each["nodes"]])
        for each in Axe().run(page).response["violations"]
    ]
