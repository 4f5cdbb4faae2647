"""A listener's side of a call, with labels: interruptions, back-channels, noises and the pauses
between them. benchmarks/make_recorded_call.py has made it. Knows nothing about detectors."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import av
import numpy as np
from numpy.typing import NDArray

RATE = 16_000
FOLDER = Path(__file__).parent / "calls"
SOUND = FOLDER / "call.ogg"
LABELS = FOLDER / "call.json"

Kind = Literal["interruption", "back_channel", "noise"]


@dataclass(frozen=True, slots=True)
class Moment:
    """Seconds of the call. `text` is what is said; of a noise, what it is."""

    kind: Kind
    began_s: float
    ended_s: float
    text: str
    voice: str


@dataclass(frozen=True, slots=True)
class RecordedCall:
    pcm: NDArray[np.int16]
    moments: tuple[Moment, ...]

    def of_kind(self, *kinds: Kind) -> list[Moment]:
        return [moment for moment in self.moments if moment.kind in kinds]

    def cut(self, began_s: float, ended_s: float) -> NDArray[np.int16]:
        return self.pcm[round(began_s * RATE) : round(ended_s * RATE)]


def read_call() -> RecordedCall:
    with av.open(str(SOUND)) as container:
        resampler = av.AudioResampler(format="s16", layout="mono", rate=RATE)
        frames = [part for frame in container.decode(audio=0) for part in resampler.resample(frame)]
        frames += resampler.resample(None)
    pcm = np.concatenate([frame.to_ndarray()[0] for frame in frames])
    return RecordedCall(pcm, tuple(Moment(**each) for each in json.loads(LABELS.read_text())))


def s16le(parts: Iterable[NDArray[np.int16]]) -> bytes:
    return np.concatenate(list(parts)).astype("<i2").tobytes()
