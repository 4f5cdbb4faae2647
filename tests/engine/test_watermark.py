"""PerTh's watermark in the stream, against upstream's watermark of the whole utterance."""

import sys
from importlib import resources
from itertools import pairwise

import librosa
import numpy as np
import perth
import pytest
import soundfile
import torch
from numpy.typing import NDArray

from app.core import SAMPLE_RATE
from app.engine.watermark import OVERLAP, Watermark
from app.errors import ConfigError
from tests.support.engine.border_steps import worst_step

pytestmark = pytest.mark.full  # seconds in all

Wave = NDArray[np.float32]
HOP = 3840  # 160 ms: all windows of the vocoder but one are longer


@pytest.fixture(scope="module")
def detector() -> perth.PerthImplicitWatermarker:
    return perth.PerthImplicitWatermarker()


@pytest.fixture(scope="module")
def watermark() -> Watermark:
    return Watermark(torch.device("cpu"))


@pytest.fixture(scope="module")
def recording() -> Wave:
    """Four seconds of a real voice, from the speech tokenizer's package."""
    path = resources.files("s3tokenizer") / "assets" / "BAC009S0764W0121.wav"
    with resources.as_file(path) as file:
        wave, rate = soundfile.read(file, dtype="float32")
    wave = librosa.resample(wave, orig_sr=rate, target_sr=SAMPLE_RATE)
    return (0.6 * wave / np.abs(wave).max()).astype(np.float32)


def cuts(length: int, hop: int = HOP) -> list[int]:
    return [*range(0, length - OVERLAP, hop), length]


def mark_windows(watermark: Watermark, wave: Wave, borders: list[int]) -> Wave:
    state, parts = watermark.start(), []
    for start, end in pairwise(borders):
        state, marked = watermark.mark(
            state, torch.from_numpy(wave[start:end].copy()), is_last=end == len(wave)
        )
        parts.append(marked.numpy())
    return np.concatenate(parts)


def confidence(detector: perth.PerthImplicitWatermarker, wave: Wave) -> float:
    return float(detector.get_watermark(wave, SAMPLE_RATE, round=False))


@pytest.mark.parametrize("hop", [480, HOP, 24_000])
def test_marked_windows_are_detected_and_keep_their_length(watermark, detector, recording, hop):
    marked = mark_windows(watermark, recording, cuts(len(recording), hop))
    assert len(marked) == len(recording)
    assert confidence(detector, marked) >= 0.99
    assert confidence(detector, recording) < 0.05


def test_every_second_is_detected_as_surely_as_upstreams_mark(watermark, detector, recording):
    for start in range(0, len(recording) - SAMPLE_RATE, SAMPLE_RATE // 2):
        second = recording[start : start + SAMPLE_RATE]
        ours = mark_windows(watermark, second, cuts(SAMPLE_RATE))
        upstreams = detector.apply_watermark(second, SAMPLE_RATE)
        assert confidence(detector, ours) >= min(0.99, confidence(detector, upstreams))
        assert float(detector.get_watermark(ours, SAMPLE_RATE)) == 1.0


def test_the_mark_of_a_whole_utterance_equals_upstreams(watermark, detector, recording):
    marked = mark_windows(watermark, recording, [0, len(recording)])
    resampled = librosa.resample(recording, orig_sr=SAMPLE_RATE, target_sr=32_000)
    resampled = librosa.resample(resampled, orig_sr=32_000, target_sr=SAMPLE_RATE)
    upstreams = detector.apply_watermark(recording, SAMPLE_RATE)
    length = len(upstreams)  # whole hops
    interior = slice(2400, length - 2400)  # upstream's mark does not end at zero
    mark = (marked - recording)[interior]
    error = mark - (upstreams - resampled[:length])[interior]
    assert 10 * np.log10((error**2).mean() / (mark**2).mean()) < -40


def test_no_border_clicks(watermark, recording):
    borders = cuts(len(recording))[1:-1]
    heard = [border - OVERLAP for border in borders]
    marked = mark_windows(watermark, recording, cuts(len(recording)))
    assert worst_step(marked, borders) <= 1.0
    assert worst_step(marked, heard) <= 1.0


def test_windows_marked_separately_click_at_their_borders(detector, recording):
    """The control of the test above, and the reason for the overlap."""
    borders = cuts(len(recording))
    parts = [
        detector.apply_watermark(recording[start:end], SAMPLE_RATE)[: end - start]
        for start, end in pairwise(borders)
    ]
    assert worst_step(np.concatenate(parts), borders[1:-1]) > 1.5


@pytest.mark.parametrize("defect", ["drop", "gap", "step"])
def test_a_defect_at_a_border_is_found(watermark, recording, defect):
    """More controls: 3 ms lost, 5 ms of silence, a jump of the mean."""
    marked = mark_windows(watermark, recording, cuts(len(recording)))
    border = (
        int(np.argmax(np.abs(librosa.util.frame(marked, frame_length=480, hop_length=480)).mean(0)))
        * 480
        + 240
    )
    if defect == "drop":
        marked = np.delete(marked, np.s_[border : border + 72])
    elif defect == "gap":
        border += int(np.argmax(np.abs(marked[border : border + 240])))
        marked[border : border + 120] = 0
    else:
        marked[border:] += 0.15
    assert worst_step(marked, [border]) > 1.0


def test_the_mark_fades_in_and_out(watermark, recording):
    for wave in (recording, recording[30_000:31_000]):
        mark = mark_windows(watermark, wave, [0, len(wave)]) - wave
        assert abs(mark[0]) < 1e-6
        assert abs(mark[-1]) < 1e-3
        assert np.abs(mark).max() > 1e-3


def test_silence_stays_silent(watermark):
    silence = np.zeros(24_000, np.float32)
    assert np.abs(mark_windows(watermark, silence, cuts(len(silence)))).max() < 1e-6


def test_an_end_without_new_samples_returns_the_samples_held_back(watermark, recording):
    wave = torch.from_numpy(recording[:12_000])
    state, first = watermark.mark(watermark.start(), wave, is_last=False)
    _, last = watermark.mark(state, wave[:0], is_last=True)
    assert (len(first), len(last)) == (12_000 - OVERLAP, OVERLAP)


def test_a_missing_watermarker_is_a_config_error(monkeypatch):
    monkeypatch.setitem(sys.modules, "perth", None)
    with pytest.raises(ConfigError, match="PerTh watermarker is missing"):
        Watermark(torch.device("cpu"))


def test_loading_prints_nothing(capsys):
    Watermark(torch.device("cpu"))
    assert capsys.readouterr().out == ""
