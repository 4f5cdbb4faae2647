"""What goes wrong is told in plain words, and the page goes on without a reload."""

from contextlib import ExitStack

import pytest
from playwright.sync_api import expect

from app.errors import SynthesisFailed
from tests.support.api_clients import serving
from tests.support.api_keys import key
from tests.support.browser import needs_chromium
from tests.support.fakes import FakeSynthesizer
from tests.support.live_synthesizer import LiveSynthesizer
from tests.support.web_client import without_sockets
from tests.support.web_page import violations

pytestmark = [pytest.mark.full, needs_chromium]

WITHIN_MS = 30_000
KEYS = (
    key("red-key", "red", "red", ("speak",)),
    key("small-key", "small", "red", ("speak",), requests_per_minute=1),
    key("mute-key", "mute", "red", ("voices",)),
)


@pytest.fixture
def opened(browser):
    """The page of a server with this synthesizer and these options."""
    with ExitStack() as servers:

        def open_page(synthesizer=None, **options):
            url = servers.enter_context(serving(synthesizer or LiveSynthesizer(), **options))
            browser.goto(f"{url}/play")
            browser.wait_for_selector("body[data-ready]")
            return browser

        yield open_page
        browser.goto("about:blank")


def says(page, text):
    expect(page.locator("#panel-trouble")).to_contain_text(text, timeout=WITHIN_MS)


def state(page, text):
    expect(page.locator("#state")).to_have_text(text, timeout=WITHIN_MS)


def speaks(page):
    """Without a reload, and then nothing is said to be wrong."""
    page.click("#speak")
    state(page, "Done.")
    expect(page.locator("#panel-trouble")).to_be_empty()


def use_key(page, secret):
    page.fill("#key", secret)
    page.locator("#key").press("Enter")


def test_a_server_with_keys_is_asked_for_one_that_stays_in_memory(opened):
    page = opened(keys=KEYS)
    says(page, "This server needs an API key.")
    expect(page.locator("#key")).to_be_focused()
    assert violations(page) == []
    use_key(page, "wrong")
    says(page, "The server does not know this API key.")
    use_key(page, "red-key")
    expect(page.locator("#panel-key")).to_be_hidden()
    speaks(page)
    kept = page.evaluate(
        "[location.href, document.cookie, ...[localStorage, sessionStorage].map(JSON.stringify)]"
    )
    assert not any("red-key" in each for each in kept)


def test_a_key_that_may_not_speak_is_told(opened):
    page = opened(keys=KEYS)
    use_key(page, "mute-key")
    expect(page.locator("#panel-key")).to_be_hidden()
    page.click("#speak")
    says(page, "This API key may not do that.")
    use_key(page, "red-key")
    expect(page.locator("#panel-key")).to_be_hidden()
    speaks(page)


def test_a_quota_that_is_used_up_is_told(opened):
    page = opened(keys=KEYS)
    use_key(page, "small-key")
    expect(page.locator("#panel-key")).to_be_hidden()
    page.fill("#text", "Hello there.")  # one take, which counts as one request
    speaks(page)
    page.click("#speak")
    says(page, "The quota of this API key is used up.")
    says(page, "requests_per_minute")
    state(page, "Failed.")
    use_key(page, "red-key")
    expect(page.locator("#panel-key")).to_be_hidden()
    speaks(page)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (" ", "There is no text to speak."),
        ("<speak>Hello <shout>there</shout>.</speak>", "shout"),
    ],
)
def test_a_text_that_is_refused_is_told(opened, text, told):
    page = opened()
    page.fill("#text", text)
    page.click("#speak")
    says(page, told)
    page.fill("#text", "Hello there.")
    speaks(page)


def test_a_speech_that_fails_in_the_middle_is_told_and_what_came_is_kept(opened):
    failing = FakeSynthesizer(fail_at=2, error=SynthesisFailed("the engine could not finish"))
    page = opened(failing)
    page.click("#speak")
    says(page, "The server could not finish this speech.")
    kept = page.evaluate("async () => (await import('/play/main.js')).page.utterance.numSamples")
    assert kept == 2 * 5 * 960
    failing.fail_at = None
    speaks(page)


def test_a_server_that_goes_while_it_speaks_is_told_and_the_page_speaks_when_it_is_back(browser):
    with serving(LiveSynthesizer(num_chunks=1000)) as url:
        port = int(url.rpartition(":")[2])
        browser.goto(f"{url}/play")
        browser.wait_for_selector("body[data-ready]")
        browser.click("#speak")
        state(browser, "Speaking.")
    says(browser, "The connection to the server broke off.")
    browser.click("#speak")
    says(browser, "The server does not answer.")
    with serving(LiveSynthesizer(), port=port):
        speaks(browser)
        browser.goto("about:blank")


def test_a_stop_while_the_server_is_gone_is_silent_all_the_same(browser):
    with serving(LiveSynthesizer(num_chunks=100, chunk_s=0)) as url:
        browser.goto(f"{url}/play")
        browser.wait_for_selector("body[data-ready]")
        browser.click("#speak")
        state(browser, "Speaking.")
    says(browser, "The connection to the server broke off.")
    browser.keyboard.press("Escape")
    expect(browser.locator("#stop")).to_be_disabled()
    state(browser, "Silent.")
    browser.goto("about:blank")


def test_where_sockets_are_forbidden_the_page_says_how_it_speaks(opened):
    page = opened(proxied=without_sockets)
    speaks(page)
    expect(page.locator("#server")).to_contain_text("forbidden")


@pytest.mark.parametrize(
    ("broken", "told", "mended"),
    [
        (
            "Object.defineProperty(AudioContext.prototype, 'audioWorklet', {value: undefined})",
            "only over HTTPS",
            None,
        ),
        (
            "window.add = AudioWorklet.prototype.addModule;"
            "AudioWorklet.prototype.addModule = () => Promise.reject(new Error())",
            "could not be loaded",
            "() => { AudioWorklet.prototype.addModule = window.add; }",
        ),
        (
            "AudioContext.prototype.resume = () => Promise.resolve();"
            "Object.defineProperty(AudioContext.prototype, 'state', {value: 'suspended'})",
            "does not let this page play sound",
            None,
        ),
    ],
)
def test_a_browser_that_cannot_play_is_told(browser, broken, told, mended):
    page = browser.context.browser.new_page()
    page.add_init_script(broken)
    with serving(LiveSynthesizer()) as url:
        page.goto(f"{url}/play")
        page.wait_for_selector("body[data-ready]")
        page.click("#speak")
        says(page, told)
        state(page, "Failed.")
        if mended is not None:
            page.evaluate(mended)
            speaks(page)
        page.close()
