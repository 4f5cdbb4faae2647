"""The picture of the sound, and the place to play from."""

import pytest

from tests.support.browser import needs_chromium
from tests.support.live_synthesizer import LiveSynthesizer
from tests.support.web_page import speak, wait_for_state, web_page

pytestmark = [pytest.mark.full, needs_chromium]

INK = """name => {
    const canvas = document.querySelector(`#panel-waveform canvas.${name}`);
    const pixels = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data;
    const rows = [];
    for (let y = 0; y < canvas.height; y += 1) {
        let ink = 0;
        for (let x = 0; x < canvas.width; x += 1) ink += pixels[4 * (y * canvas.width + x) + 3];
        rows.push(ink / canvas.width);
    }
    return rows;
}"""


@pytest.fixture(scope="module")
def page(chromium):
    with web_page(chromium, LiveSynthesizer(num_chunks=4, chunk_s=0.02)) as page:
        yield page


def test_the_picture_says_in_words_what_was_heard(page):
    speak(page, "Hello there.")
    told = page.locator("#panel-waveform p").inner_text()
    assert told.startswith("0.8 s were heard, 0.8 s were received.")
    assert "at -6 dB of full scale" in told  # the tone's peak is a half
    assert "up to 12 kHz" in told


def test_the_wave_is_as_high_as_the_sound(page):
    speak(page, "Hello there.")
    rows = page.evaluate(INK, "wave")
    inked = [y for y, ink in enumerate(rows) if ink > 0]
    assert (inked[0], inked[-1]) == pytest.approx((24, 71), abs=2)  # of 96 rows


def test_the_spectrogram_is_strongest_at_the_frequency_of_the_sound(page):
    speak(page, "Hello there.")
    rows = page.evaluate(INK, "spectrogram")
    strongest = max(range(256), key=rows.__getitem__)
    assert 255 - strongest == round(440 / (24_000 / 512))


def test_the_slider_plays_again_what_was_kept(page):
    speak(page, "Hello there.")
    slider = page.get_by_label("Play again from")
    assert slider.get_attribute("max") == "800"
    slider.focus()
    page.keyboard.press("End")
    for _ in range(40):
        page.keyboard.press("ArrowLeft")
    assert slider.get_attribute("aria-valuetext") == "0.4 seconds"
    wait_for_state(page, "Done.")
    assert page.evaluate("async () => (await import('/play/main.js')).page.utterance.isReplay")
