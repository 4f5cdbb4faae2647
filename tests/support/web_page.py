"""The page of app/web in a real Chromium, served by the real application.

A test fails where the page throws, breaks its Content-Security-Policy, or asks another host.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import ConsoleMessage, Page, Request

from tests.support.api_clients import serving
from tests.support.browser import browser_page

SOUND_ON = "--autoplay-policy=no-user-gesture-required"
READY = "body[data-ready]"


@contextmanager
def web_page(
    synthesizer: object,
    *switches: str,
    width: int = 1280,
    height: int = 720,
    ready: bool = True,
    **options: object,
) -> Iterator[Page]:
    """`ready`: waits until the page has asked for its voices. `options`: those of `create_app`."""
    with (
        serving(synthesizer, **options) as url,
        browser_page(width, height, SOUND_ON, *switches) as page,
    ):
        problems = problems_of(page, url)
        page.goto(f"{url}/play")
        if ready:
            page.wait_for_selector(READY)
        yield page
        assert problems == []


def problems_of(page: Page, url: str) -> list[str]:
    """What goes wrong in the page from now on; the list grows."""
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
