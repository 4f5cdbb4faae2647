"""Levels, spectra, columns and WAV files that the page makes of samples."""

import base64
import io

import numpy as np
import pytest
import soundfile

from tests.support.browser import needs_chromium
from tests.support.fakes import FakeSynthesizer
from tests.support.web_page import in_module, web_page

pytestmark = [pytest.mark.full, needs_chromium]

SINE = """Float32Array.from({length: a.num}, (_, n) =>
    a.peak * Math.sin(2 * Math.PI * a.hz * n / 24000))"""


@pytest.fixture(scope="module")
def page(chromium):
    with web_page(chromium, FakeSynthesizer(), ready=False) as page:
        yield page


def test_the_level_of_a_sine_is_3_db_below_its_peak(page):
    sine = {"num": 24_000, "peak": 0.5, "hz": 440}
    level = in_module(page, "spectrum", f"m.levelDb({SINE})", sine)
    assert level == pytest.approx(20 * np.log10(0.5 / np.sqrt(2)), abs=0.01)


def test_silence_has_the_quietest_level(page):
    assert in_module(page, "spectrum", "m.levelDb(new Float32Array(100))") == -90


def test_the_transform_equals_numpys(page):
    rng = np.random.default_rng(7)
    real = rng.standard_normal(512)
    script = """(() => {
        const real = new Float64Array(a), imaginary = new Float64Array(512);
        m.transform(real, imaginary);
        return [Array.from(real), Array.from(imaginary)];
    })()"""
    told = np.array(in_module(page, "spectrum", script, real.tolist()))
    assert np.allclose(told[0] + 1j * told[1], np.fft.fft(real), atol=1e-9)


def test_a_spectrum_has_its_peak_at_the_frequency_of_a_sine(page):
    sine = {"num": 4096, "peak": 1, "hz": 3000}
    bands = in_module(page, "spectrum", f"Array.from(m.spectrumAt({SINE}, 2048))", sine)
    assert int(np.argmax(bands)) == round(3000 / (24_000 / 512))
    assert max(bands) == pytest.approx(0, abs=0.1)


def test_columns_do_not_depend_on_how_the_sound_was_cut(page):
    script = f"""(() => {{
        const samples = {SINE};
        const whole = new m.SoundColumns(24000), parts = new m.SoundColumns(24000);
        whole.feed(samples);
        for (let at = 0; at < samples.length; at += 777) parts.feed(samples.subarray(at, at + 777));
        return [Array.from(whole.peaks), Array.from(parts.peaks)];
    }})()"""
    whole, parts = in_module(page, "sound-columns", script, {"num": 9600, "peak": 0.5, "hz": 100})
    assert whole == parts
    assert len(whole) == 20


def test_the_columns_of_a_long_utterance_are_those_of_its_last_minute(page):
    script = """(() => {
        const columns = new m.SoundColumns(8000);
        const second = new Float32Array(8000);
        for (let s = 0; s < 70; s += 1) { second[0] = s / 100; columns.feed(second); }
        const end = 70 * 8000;
        return {num: columns.peaks.length, first: columns.peaks[0], spectra: columns.spectra.length,
            before: [columns.numBefore(0), columns.numBefore(end), columns.numBefore(end - 8000)]};
    })()"""
    told = in_module(page, "sound-columns", script)
    assert (told["num"], told["spectra"], told["before"]) == (3000, 3000, [0, 3000, 2950])
    assert told["first"] == pytest.approx(0.10)


def test_a_wav_file_has_the_first_samples_of_the_parts(page):
    parts = [[0, 1, -1, 32_767], [], [-32_768, 5, 6]]
    script = """(async () => {
        const blob = m.wavOf(a.map(part => new Int16Array(part)), 6, 16000);
        return btoa(String.fromCharCode(...new Uint8Array(await blob.arrayBuffer())));
    })()"""
    content = base64.b64decode(in_module(page, "wav", f"await {script}", parts))
    told, rate = soundfile.read(io.BytesIO(content), dtype="int16")
    assert rate == 16_000
    assert told.tolist() == [0, 1, -1, 32_767, -32_768, 5]
