"""The page for everybody: axe-core finds nothing in any state, the keyboard does everything, and
390 pixels are wide enough."""

import pytest

from app.voices.library import VoiceLibrary
from tests.support.browser import needs_chromium
from tests.support.live_synthesizer import LiveSynthesizer
from tests.support.timed_text import TEXT, TIMES
from tests.support.web_page import speak, violations, wait_for_state, web_page

pytestmark = [pytest.mark.full, needs_chromium]

PHONE = 390
MAX_TABS = 120
TOO_WIDE = """() => [...document.querySelectorAll("body *")]
    .filter(each => each.getBoundingClientRect().right > innerWidth + 0.5)
    .filter(each => !each.closest("pre"))
    .map(each => each.outerHTML.slice(0, 80))"""
SMALL = """() => [...document.querySelectorAll("button, select, summary, input")]
    .filter(each => each.checkVisibility())
    .filter(each => each.getBoundingClientRect().height < 24 && each.type !== "range")
    .map(each => each.outerHTML.slice(0, 80))"""
FOCUSED = """() => {
    const { activeElement } = document;
    const style = getComputedStyle(activeElement);
    return { html: activeElement.outerHTML.slice(0, 80), tag: activeElement.tagName,
        isMarked: style.outlineStyle !== "none" };
}"""
FOCUSABLE = """() => [...document.querySelectorAll(
        "button, select, textarea, input, summary, pre[tabindex], audio")]
    .filter(each => each.checkVisibility() && !each.disabled)
    .map(each => each.outerHTML.slice(0, 80))"""


@pytest.fixture(scope="module")
def page(chromium, tmp_path_factory):
    """With everything open: sound that was heard, words, legs, and the form of a voice."""
    library = VoiceLibrary(str(tmp_path_factory.mktemp("uploads")))
    synthesizer = LiveSynthesizer(num_chunks=4, chunk_s=0.02, words=TIMES)
    with web_page(chromium, synthesizer, library=library) as page:
        page.click("summary:text('Make a voice')")
        speak(page, TEXT)
        page.wait_for_selector("#panel-timeline .bar >> nth=3", state="attached")
        yield page


def test_axe_sees_a_button_without_a_name(page):
    page.evaluate(
        "() => { document.querySelector('main').append(document.createElement('button')); }"
    )
    assert [name for name, _ in violations(page)] == ["button-name"]
    page.evaluate("() => document.querySelector('main > button').remove()")


@pytest.mark.parametrize(
    ("width", "scheme"),
    [
        (PHONE, "dark"),
        (1280, "light"),
        pytest.param(PHONE, "light", marks=pytest.mark.long),
        pytest.param(1280, "dark", marks=pytest.mark.long),
    ],
)
def test_axe_finds_nothing_after_an_utterance(page, width, scheme):
    page.set_viewport_size({"width": width, "height": 800})
    page.emulate_media(color_scheme=scheme)
    assert violations(page) == []


@pytest.mark.parametrize("scheme", ["light", pytest.param("dark", marks=pytest.mark.long)])
def test_axe_finds_nothing_after_a_stop_and_an_error(page, scheme):
    page.emulate_media(color_scheme=scheme)
    page.fill("#text", "This is long. " * 20)
    page.click("#speak")
    wait_for_state(page, "Speaking.")
    page.click("#stop")
    wait_for_state(page, "Stopped.")
    assert violations(page) == []
    page.route("**/v1/audio/speech", lambda route: route.abort())
    page.get_by_role("button", name="Download", exact=True).click()
    page.wait_for_selector("#panel-trouble[data-code]")
    page.unroute("**/v1/audio/speech")
    assert violations(page) == []
    speak(page, TEXT)


def test_axe_finds_nothing_while_interruptions_are_measured(page):
    page.get_by_label("Times").fill("2")
    page.click("#panel-barge-in button:text-is('Start')")
    page.wait_for_selector("#panel-barge-in button:text-is('End')")
    assert violations(page) == []
    page.wait_for_selector("#panel-barge-in button:text-is('Start')")
    assert violations(page) == []
    speak(page, TEXT)


def test_nothing_is_wider_than_a_phone(page):
    page.set_viewport_size({"width": PHONE, "height": 800})
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE
    assert page.evaluate(TOO_WIDE) == []


def test_every_control_is_large_enough_for_a_finger(page):
    page.set_viewport_size({"width": PHONE, "height": 800})
    assert page.evaluate(SMALL) == []


def test_the_keyboard_reaches_every_control_and_shows_where_it_is(page):
    unreached = set(page.evaluate(FOCUSABLE))
    assert len(unreached) > 20
    unmarked = []
    for _ in range(MAX_TABS):  # behind the last control the first one follows
        page.keyboard.press("Tab")
        focused = page.evaluate(FOCUSED)
        unreached.discard(focused["html"])
        if focused["tag"] != "BODY" and not focused["isMarked"]:
            unmarked.append(focused["html"])
        if not unreached:
            break
    assert unreached == set()
    assert unmarked == []


def test_the_keyboard_alone_speaks_stops_and_interrupts(page):
    page.focus("#text")
    page.keyboard.press("ControlOrMeta+a")
    page.keyboard.type("This is long. " * 3)
    page.keyboard.press("Control+Enter")
    wait_for_state(page, "Speaking.")
    page.keyboard.press("Escape")
    wait_for_state(page, "Stopped.")
    page.focus("#speak")
    page.keyboard.press("Enter")
    wait_for_state(page, "Speaking.")
    page.keyboard.press(" ")
    wait_for_state(page, "Stopped.")


def test_the_language_the_title_and_one_heading_of_each_panel_are_there(page):
    assert page.evaluate("document.documentElement.lang") == "en"
    assert page.title()
    assert page.locator("h1").count() == 1
    for section in page.locator("section").all():
        label = section.get_attribute("aria-labelledby")
        assert section.locator(f"h2#{label}").count() == 1


def test_motion_is_not_used_where_it_is_not_wanted(page):
    moving = """() => document.getAnimations().length"""
    page.emulate_media(reduced_motion="reduce")
    assert page.evaluate(moving) == 0
