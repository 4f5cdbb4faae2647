"""The panel of the voices: choose, preview, upload, delete."""

import pytest

from app.voices.library import VoiceLibrary
from tests.support.browser import needs_chromium
from tests.support.hostile_uploads import GOOD, encoded
from tests.support.live_synthesizer import LiveSynthesizer
from tests.support.web_page import web_page

pytestmark = [pytest.mark.full, needs_chromium]

# The process that decodes an upload gives way to all others.
DECODED_WITHIN_MS = 90_000
CONSENT = "I am Ann, and I agree."
WAV = encoded(GOOD)
SHORT = encoded(GOOD[: 2 * 24_000])


@pytest.fixture(scope="module")
def library(tmp_path_factory):
    return VoiceLibrary(str(tmp_path_factory.mktemp("uploads")))


@pytest.fixture(scope="module")
def page(chromium, library):
    with web_page(chromium, LiveSynthesizer(), library=library) as page:
        page.click("summary:text('Make a voice')")
        yield page


def names_of(page):
    return page.locator("#panel-voices .name").all_inner_texts()


def choose_file(page, content, name="ann.wav"):
    page.get_by_label("A file").set_input_files(
        {"name": name, "mimeType": "audio/wav", "buffer": content}
    )


def make(page, name):
    page.get_by_label("Name of the voice").fill(name)
    page.get_by_label("Consent, in the words of the speaker").fill(CONSENT)
    choose_file(page, WAV)
    page.click("button:text('Make voice'):enabled")
    made = f"#panel-voices .name:text-is('{name}')"
    page.wait_for_selector(made, timeout=DECODED_WITHIN_MS)


def delete(page, name):
    page.get_by_role("button", name=f"Delete {name}").click()
    page.get_by_role("button", name=f"Delete {name} for good").click()
    page.wait_for_selector(f"#panel-voices .name:text-is('{name}')", state="detached")


def test_the_voices_of_the_server_are_listed_and_one_can_be_chosen(page):
    assert names_of(page) == ["default", "anna", "søren"]
    page.get_by_role("button", name="Use anna").click()
    assert page.input_value("#voice") == "anna"
    assert page.get_by_role("button", name="Use anna").get_attribute("aria-pressed") == "true"
    page.select_option("#voice", "default")
    assert page.get_by_role("button", name="Use anna").get_attribute("aria-pressed") == "false"


def test_a_preview_plays_and_stops(page):
    button = page.get_by_role("button", name="Preview of anna")
    with page.expect_response("**/v1/audio/voices/anna/preview"):
        button.click()
    page.wait_for_selector("#panel-voices button:text-is('Stop')")
    button.click()
    assert button.inner_text() == "Preview"


def test_a_preview_that_is_stopped_before_it_plays_is_no_trouble(page):
    button = page.get_by_role("button", name="Preview of anna")
    for _ in range(4):
        button.click()
    assert button.inner_text() == "Preview"
    assert page.locator("#panel-trouble").inner_text() == ""


def test_a_preview_that_has_ended_can_be_played_again(page):
    button = page.get_by_role("button", name="Preview of default")
    button.click()
    page.wait_for_selector("#panel-voices button:text-is('Stop')")
    page.wait_for_selector("#panel-voices button:text-is('Stop')", state="detached")
    assert button.inner_text() == "Preview"


def test_length_and_level_are_shown_before_anything_is_sent(page):
    choose_file(page, WAV)
    told = page.locator("#panel-voices form [role=status]")
    page.wait_for_selector("#panel-voices form [role=status]:text('ann.wav')")
    assert f"{len(GOOD) / 24_000:.1f} s" in told.inner_text()
    assert " dB of full scale." in told.inner_text()
    assert page.locator("#panel-voices form audio").is_visible()


def test_a_recording_that_is_too_short_is_told_before_it_is_sent(page):
    choose_file(page, SHORT)
    page.wait_for_selector("#panel-voices form [role=status]:text('It is too short')")


def test_a_file_becomes_a_voice_that_is_chosen_and_says_what_was_heard(page, library):
    make(page, "Ann")
    page.wait_for_selector("caption:text-is('What was heard of Ann')")
    (voice,) = library.all("default")
    assert (voice.name, page.input_value("#voice")) == ("Ann", voice.id)
    assert page.locator("#panel-voices table", has_text="Warnings").inner_text().count("none") == 1
    delete(page, "Ann")


def test_nothing_is_sent_without_consent(page, library):
    page.get_by_label("Name of the voice").fill("Bea")
    page.get_by_label("Consent, in the words of the speaker").fill("")
    choose_file(page, WAV)
    page.click("button:text('Make voice'):enabled")
    assert page.evaluate("document.activeElement.name") == "consent"
    assert library.all("default") == ()


def test_a_refused_recording_is_told_and_can_be_tried_again(page, library):
    page.get_by_label("Name of the voice").fill("Cara")
    page.get_by_label("Consent, in the words of the speaker").fill(CONSENT)
    choose_file(page, SHORT)
    page.click("button:text('Make voice'):enabled")
    refusal = "#panel-trouble:text('it must have 5 s of speech')"
    page.wait_for_selector(refusal, timeout=DECODED_WITHIN_MS)
    assert library.all("default") == ()
    make(page, "Cara")
    delete(page, "Cara")


def test_a_voice_is_deleted_after_a_second_press_alone(page, library):
    make(page, "Dora")
    page.get_by_role("button", name="Delete Dora").click()
    page.keyboard.press("Tab")  # away: the next press asks again
    page.get_by_role("button", name="Delete Dora", exact=True).click()
    assert len(library.all("default")) == 1
    page.get_by_role("button", name="Delete Dora for good").click()
    page.wait_for_selector("#panel-voices [role=status]:text('Dora was deleted.')")
    assert library.all("default") == ()
    assert page.input_value("#voice") == "default"


def test_the_name_of_a_voice_is_text_and_no_markup(page):
    name = "<img src=x onerror=alert(1)>"
    make(page, name.replace("/", ""))
    assert name in names_of(page)
    page.get_by_role("button", name=f"Delete {name}").click()
    page.get_by_role("button", name=f"Delete {name} for good").click()
    page.wait_for_selector("#panel-voices li:nth-child(4)", state="detached")
