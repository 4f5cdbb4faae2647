"""What was heard, and the same request in any format, as files."""

import io

import av
import numpy as np
import pytest
import soundfile

from app.audio.formats import FORMATS
from tests.support.browser import needs_chromium
from tests.support.live_synthesizer import LiveSynthesizer
from tests.support.web_page import speak, wait_for_state, web_page

pytestmark = [pytest.mark.full, needs_chromium]

KEPT = """async () => {
    const { page } = await import("/play/main.js");
    return page.utterance.sound.flatMap(part => Array.from(part));
}"""
CONTAINED = ("mp3", "opus", "aac", "flac", "wav")


@pytest.fixture(scope="module")
def synthesizer():
    return LiveSynthesizer(num_chunks=4, chunk_s=0.02)


@pytest.fixture(scope="module")
def page(chromium, synthesizer):
    with web_page(chromium, synthesizer) as page:
        yield page


def file_of(page, button):
    with page.expect_download() as waiting:
        page.get_by_role("button", name=button, exact=True).click()
    download = waiting.value
    with open(download.path(), "rb") as file:
        return download.suggested_filename, file.read()


def test_the_file_of_what_was_heard_has_the_samples_that_came(page):
    speak(page, "Hello there.")
    name, content = file_of(page, "What was heard, as WAV")
    samples, rate = soundfile.read(io.BytesIO(content), dtype="int16")
    assert (name, rate) == ("heard.wav", 24_000)
    assert np.array_equal(samples, page.evaluate(KEPT))


def test_after_a_stop_the_file_ends_with_the_last_sample_that_was_played(page):
    page.fill("#text", "This is long. " * 20)
    page.click("#speak")
    wait_for_state(page, "Speaking.")
    page.click("#stop")
    wait_for_state(page, "Stopped.")
    _, content = file_of(page, "What was heard, as WAV")
    samples, _ = soundfile.read(io.BytesIO(content), dtype="int16")
    kept = page.evaluate(KEPT)
    assert 0 < len(samples) <= len(kept)
    assert np.array_equal(samples, kept[: len(samples)])


@pytest.mark.parametrize(
    "kind",
    [kind if kind == "mp3" else pytest.param(kind, marks=pytest.mark.long) for kind in FORMATS],
)
def test_the_request_can_be_had_in_every_format(page, kind):
    speak(page, "Hello there.")
    page.get_by_label("Format").select_option(kind)
    name, content = file_of(page, "Download")
    assert name.startswith("speech.")
    assert len(content) > 1000
    if kind in CONTAINED:
        with av.open(io.BytesIO(content)) as file:
            frames = list(file.decode(audio=0))
            seconds = sum(frame.samples for frame in frames) / frames[0].sample_rate
        assert seconds == pytest.approx(0.8, abs=0.15)


def test_a_file_is_asked_with_the_seed_of_what_was_heard(page, synthesizer):
    speak(page, "Hello there.", seed=123)
    seeds = []
    page.on("request", lambda request: seeds.append(request.post_data_json))
    page.get_by_label("Format").select_option("flac")
    file_of(page, "Download")
    body = next(each for each in seeds if each)
    assert (body["seed"], body["stream"], body["response_format"]) == (123, False, "flac")


def test_a_refused_file_is_told(page):
    speak(page, "Hello there.")
    page.route("**/v1/audio/speech", lambda route: route.abort())
    page.get_by_role("button", name="Download", exact=True).click()
    page.wait_for_selector("#panel-trouble[data-code='server_gone']")
    page.unroute("**/v1/audio/speech")
