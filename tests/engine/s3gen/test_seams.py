"""The borders between cells, in the watermarked sound of the embedded models.

`make test` measures some hundred borders of each model, `make test-long` over a thousand in all.
Two measures find a break. A linear prediction misses a break in the regular hum of the model that
babbles. A plain step between samples can hide behind the next pitch pulse, so both are measured, in
that hum and in the speech of the other model.
"""

from collections.abc import Callable
from typing import NamedTuple

import librosa
import numpy as np
import perth
import pytest
import torch
from numpy.typing import NDArray
from scipy.signal import lfilter

from app.config import VocoderSettings
from app.core import SAMPLE_RATE, FinishReason, SpeechTokens
from app.engine.checkpoint.source import open_checkpoint
from app.engine.s3gen.build import build_vocoder_engine
from app.engine.s3gen.ladders import LADDERS, Ladder
from app.engine.s3gen.messages import OpenSegment
from app.engine.watermark import OVERLAP
from tests.support.engine.border_steps import AROUND, border_step
from tests.support.engine.int8 import needs_int8
from tests.support.engine.s3gen.voicing import drain, joined, session, speech

pytestmark = pytest.mark.full
Wave = NDArray[np.float32]
MODELS = {"embedded-turbo": ("window", "chunked"), "embedded": ("chunked",)}  # and policies
CELL = 6  # tokens
DROPPED, SILENT = 72, 120  # samples: 3 ms, 5 ms


class Size(NamedTuple):
    num_streams: int
    num_cells: int


class Stream(NamedTuple):
    wave: Wave
    borders: tuple[int, ...]  # samples; two per border of windows, before and after the overlap


@pytest.fixture(
    scope="module",
    params=[Size(2, 30), pytest.param(Size(4, 132), marks=pytest.mark.long)],
    ids=["short", "long"],
)
def size(request: pytest.FixtureRequest) -> Size:
    return request.param


@pytest.fixture(scope="module", params=MODELS)
def streams(request: pytest.FixtureRequest, size: Size) -> list[Stream]:
    model: str = request.param
    return [stream for policy in MODELS[model] for stream in voiced(model, policy, size)]


def voiced(
    model: str, policy: str, size: Size, ladder: Ladder = (CELL,), dtype: str = "float32"
) -> list[Stream]:
    """`ladder`: the cells, of streams that are as long as `size` says in any case."""
    checkpoint = open_checkpoint(model)
    settings = VocoderSettings(
        policy=policy,
        cells=ladder,
        prompt_s=1.0,
        left_tokens=10,
        max_rows=size.num_streams,
        dtype=dtype,
    )
    vocoder = checkpoint.load_vocoder(torch.device("cpu"))
    engine = build_vocoder_engine(vocoder, settings, checkpoint.spec.s3gen.euler_steps)
    voice = checkpoint.conditionals(checkpoint.voices()[0]).s3gen
    for n in range(size.num_streams):
        key, ids = session(f"{n}"), speech(n, size.num_cells * CELL)
        engine.receive(OpenSegment(key, 0, "voice", voice, seed=n, fade_in=True))
        engine.receive(SpeechTokens(key, 0, 0, ids, FinishReason.STOP))
    items = drain(engine)
    heard = []
    for n in range(size.num_streams):
        own = [item for item in items if item.key == session(f"{n}")]
        starts = [item.start for item in own[2:] if len(item.pcm)]
        borders = sorted(border for start in starts for border in (start, start + OVERLAP))
        heard.append(Stream(joined(own), tuple(borders)))
    return heard


def surprise(wave: Wave, border: int) -> float:
    """As `border_step`, of the error of a linear prediction from the 16 samples before."""
    around = wave[border - AROUND : border + AROUND].astype(np.float64)
    missed = np.abs(lfilter(librosa.lpc(around, order=16), [1.0], around))[32:]
    at = AROUND - 32
    elsewhere = np.delete(missed, np.s_[at - 24 : at + 24])
    return float(missed[at - 2 : at + 6].max() / np.percentile(elsewhere, 99.9))


def share_above_one(streams: list[Stream], measure: Callable[[Wave, int], float]) -> float:
    ratios = [measure(wave, border) for wave, borders in streams for border in borders]
    return float(np.mean(np.array(ratios) > 1))


def spectral_jump(streams: list[Stream]) -> float:
    """The log-mel distance of neighbouring frames (5 ms) at borders, over that elsewhere."""
    at, elsewhere = [], []
    for wave, borders in streams:
        mel = librosa.feature.melspectrogram(
            y=wave, sr=SAMPLE_RATE, n_fft=512, hop_length=SILENT, n_mels=40, fmax=8000
        )
        jump = np.abs(np.diff(np.log(mel + 1e-6), axis=1)).mean(0)
        near = np.zeros(len(jump), bool)
        for border in borders:
            frame = border // SILENT
            near[frame - 4 : frame + 5] = True
            at.append(jump[frame - 2 : frame + 2].mean())
        elsewhere.append(jump[~near].mean())
    return float(np.mean(at) / np.mean(elsewhere))


def test_no_border_is_audible(streams: list[Stream], size: Size):
    assert min(len(stream.borders) // 2 for stream in streams) >= size.num_cells - 2
    assert share_above_one(streams, border_step) <= 0.001
    assert share_above_one(streams, surprise) <= 0.01  # the share anywhere in the sound
    assert spectral_jump(streams) <= 1.5


@needs_int8
def test_no_border_in_int8_is_audible(size: Size):
    heard = voiced("embedded", "chunked", size, dtype="int8")
    assert share_above_one(heard, border_step) <= 0.001
    assert share_above_one(heard, surprise) <= 0.01
    assert spectral_jump(heard) <= 1.5


@pytest.mark.parametrize("ladder", LADDERS)
def test_no_border_of_a_ladder_is_audible(ladder: Ladder, size: Size):
    heard = voiced("embedded", "chunked", size, ladder)
    assert sum(len(stream.borders) // 2 for stream in heard) >= 3 * size.num_streams
    assert share_above_one(heard, border_step) <= 0.001
    assert share_above_one(heard, surprise) <= 0.1  # of few borders
    assert spectral_jump(heard) <= 1.5


@pytest.mark.parametrize("defect", ["drop", "gap", "step"])
def test_a_defect_at_every_border_is_found(streams: list[Stream], defect: str):
    """The control of the test above: 3 ms lost, 5 ms of silence, a jump of the mean."""
    broken = [with_defect(stream, defect) for stream in streams[:2]]
    assert share_above_one(broken, surprise) > 0.1 or spectral_jump(broken) > 1.5


def with_defect(stream: Stream, defect: str) -> Stream:
    parts: list[Wave] = []
    borders: list[int] = []
    first = length = 0
    for number, border in enumerate(stream.borders[::2]):
        part = stream.wave[first:border] + (0.08 if defect == "step" and number % 2 else 0.0)
        parts.append(part.astype(np.float32))
        length += len(part)
        borders.append(length)
        first = border
        if defect == "drop":
            first += DROPPED
        elif defect == "gap":
            parts.append(np.zeros(SILENT, np.float32))
            first, length = border + SILENT, length + SILENT
            borders.append(length)
    parts.append(stream.wave[first:])
    return Stream(np.concatenate(parts), tuple(borders))


def test_every_second_and_every_whole_stream_is_watermarked(streams: list[Stream]):
    detector = perth.PerthImplicitWatermarker()

    def confidence(wave: Wave) -> float:
        return float(detector.get_watermark(wave, SAMPLE_RATE, round=False))

    for wave, _ in streams:
        seconds = wave[: len(wave) // SAMPLE_RATE * SAMPLE_RATE].reshape(-1, SAMPLE_RATE)
        assert min(confidence(second) for second in seconds[::5]) >= 0.98
        assert confidence(wave) >= 0.99
    assert confidence(np.concatenate([wave for wave, _ in streams[:2]])) >= 0.99
