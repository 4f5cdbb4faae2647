"""A voice is made of what the page records of a microphone, and speaks."""

import pytest

from app.config import ServeArgs
from app.engine.synthesizer import LocalSynthesizer
from app.voices.library import VoiceLibrary
from tests.support.browser import needs_chromium
from tests.support.fakes import FakeSynthesizer
from tests.support.live_synthesizer import LiveSynthesizer
from tests.support.web_page import speak, web_page
from tests.support.web_talk import TRACK_STATES, TRACKS

pytestmark = needs_chromium

RECORD_MS = 6500
ENROLLED_WITHIN_MS = 120_000


def record(page):
    page.click("summary:text('Make a voice')")
    page.click("button:text-is('Record')")
    page.wait_for_selector("button:text('Stop recording')")
    page.wait_for_timeout(RECORD_MS)
    level = page.locator("meter").evaluate("meter => meter.value")
    page.click("button:text('Stop recording')")
    page.wait_for_selector("button:text-is('Record again')")
    return level


def make_voice(page, library):
    """Records a voice, speaks with it, and returns it."""
    assert record(page) > -60
    page.wait_for_selector("#panel-voices form [role=status]:text('audio/webm')")
    page.get_by_label("Name of the voice").fill("Ann")
    page.get_by_label("Consent, in the words of the speaker").fill("I am Ann, and I agree.")
    page.click("button:text('Make voice'):enabled")
    page.wait_for_selector("caption:text-is('What was heard of Ann')", timeout=ENROLLED_WITHIN_MS)
    (voice,) = library.all("default")
    assert page.input_value("#voice") == voice.id
    speak(page, "Hello.")
    return voice


@pytest.mark.full
def test_a_recording_becomes_a_voice_with_which_the_page_speaks(chromium, tmp_path):
    library = VoiceLibrary(str(tmp_path / "uploads"))
    synthesizer = FakeSynthesizer()
    with web_page(chromium, synthesizer, library=library) as page:
        voice = make_voice(page, library)
    assert voice.heard.speech_s > 5
    assert voice.heard.warnings == ()
    assert synthesizer.enrolled == [voice.ref]
    assert synthesizer.requests[-1].voice == voice.ref


@pytest.mark.long
def test_a_recording_is_cloned_and_the_model_speaks_with_it(chromium, tmp_path):
    uploads = str(tmp_path / "uploads")
    library = VoiceLibrary(uploads)
    synthesizer = LocalSynthesizer.open(ServeArgs(model="embedded-babble", uploads=uploads))
    with web_page(chromium, synthesizer, library=library) as page:
        make_voice(page, library)
        told = page.locator("#panel-waveform p").inner_text()
    synthesizer.close()
    assert float(told.split(" s were heard")[0]) > 0.5


@pytest.mark.long
def test_the_microphone_is_let_go_after_a_recording(chromium, tmp_path):
    with web_page(chromium, LiveSynthesizer()) as page:
        page.evaluate(TRACKS)
        record(page)
        assert page.evaluate(TRACK_STATES) == ["ended"]


@pytest.mark.long
def test_chromium_itself_denies_a_microphone_that_the_user_did_not_allow(chromium):
    with web_page(chromium, LiveSynthesizer()) as page:
        page.context.grant_permissions(["geolocation"])  # and no other
        page.click("summary:text('Make a voice')")
        page.click("button:text-is('Record')")
        page.wait_for_selector("#panel-trouble[data-code='microphone_denied']")
