"""Measures the detectors of voice on the recorded call: how soon an interruption is noticed, and
how often noise and back-channels are taken for one.

    python benchmarks/voice_activity.py --n 100 --minutes 10

Runs faster than real time, without a recogniser. Each trigger (m voiced frames of n) is tried on
the same probabilities, and the default one with each `interrupt_s`, for which a voice must go on.
The delay is from the first sound of the voice to the end of the frame with which it is noticed. The
floor: m frames, or `interrupt_s`. The last line is one JSON object.
"""

import argparse
import json
import random
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).parents[1]))  # run as a script from a checkout

from app.hearing.detectors import new_detector, num_samples_of
from app.hearing.voice_activity import VoiceActivity, VoiceChange
from app.hearing_settings import DetectorName, VoiceActivitySettings
from benchmarks.cancel import percentiles
from benchmarks.measure import say
from benchmarks.recorded_call import RATE, Kind, RecordedCall, read_call

BEFORE_S = 0.8
TRIGGERS: dict[DetectorName, tuple[tuple[int, int], ...]] = {
    "silero": ((1, 1), (2, 3), (3, 4), (4, 6), (6, 8), (8, 10), (12, 15), (20, 25), (24, 30)),
    "webrtc": ((3, 4), (6, 8), (10, 12), (13, 15), (20, 25)),
}
INTERRUPT_S = (0.4, 0.5, 0.6, 0.7, 0.8)
DEFAULT = VoiceActivitySettings()


class Trigger(NamedTuple):
    num_voiced: int
    num_frames: int
    interrupt_s: float = 0.0

    @property
    def kind(self) -> Literal["began", "lasted"]:
        """Of the change that interrupts."""
        return "lasted" if self.interrupt_s else "began"


class Recorded:
    """Implements VoiceDetector with probabilities that are known."""

    def __init__(self, num_samples: int, probabilities: Sequence[float]) -> None:
        self.num_samples = num_samples
        self._probabilities = iter(probabilities)

    def voice_probability(self, _frame: bytes) -> float:
        return next(self._probabilities)


def probabilities(name: DetectorName, pcm: NDArray[np.int16]) -> list[float]:
    detector = new_detector(name)
    size = detector.num_samples
    starts = range(0, len(pcm) - size + 1, size)
    frames = (pcm[at : at + size].astype("<i2").tobytes() for at in starts)
    return [detector.voice_probability(frame) for frame in frames]


def changes(
    name: DetectorName, found: Sequence[float], trigger: Trigger
) -> Iterator[tuple[float, VoiceChange]]:
    """With the time at which each is noticed."""
    size = num_samples_of(name)
    activity = VoiceActivity(
        Recorded(size, found),
        DEFAULT.threshold,
        trigger.num_voiced,
        trigger.num_frames,
        DEFAULT.silence_s,
        lasting_s=trigger.interrupt_s,
    )
    for number in range(1, len(found) + 1):
        if (change := activity.feed(bytes(size * 2))) is not None:
            yield number * size / RATE, change


def interruptions(call: RecordedCall, num: int, seed: int) -> list[tuple[float, NDArray[np.int16]]]:
    """Each with the second at which its voice begins, which lies anywhere in a frame."""
    rng = random.Random(seed)
    found = []
    for _ in range(num):
        moment = rng.choice(call.of_kind("interruption"))
        before_s = BEFORE_S + rng.uniform(0, 0.032)
        found.append((before_s, call.cut(moment.began_s - before_s, moment.ended_s)))
    return found


def without_interruptions(
    call: RecordedCall, kind: Kind, minutes: float, seed: int
) -> Iterator[NDArray[np.int16]]:
    """Moments of one kind with pauses between them, at changing levels."""
    rng = random.Random(seed)
    seconds = 0.0
    while seconds < minutes * 60:
        moment = rng.choice(call.of_kind(kind))
        gain = 10 ** (rng.uniform(-6, 6) / 20)
        cut = call.cut(moment.began_s - rng.uniform(0.7, 1.0), moment.ended_s + 0.1)
        yield np.clip(cut * gain, -32768, 32767).astype(np.int16)
        seconds += len(cut) / RATE


def delays_ms(
    name: DetectorName, spoken: Sequence[tuple[float, Sequence[float]]], trigger: Trigger
) -> list[float | None]:
    found: list[float | None] = []
    for began_s, given in spoken:
        heard = changes(name, given, trigger)
        at_s = next((at_s for at_s, change in heard if change.kind == trigger.kind), None)
        found.append(None if at_s is None else (at_s - began_s) * 1000)
    return found


def triggers(name: DetectorName) -> list[Trigger]:
    found = [Trigger(*counts) for counts in TRIGGERS[name]]
    if name == DEFAULT.detector:
        found += [Trigger(DEFAULT.num_voiced, DEFAULT.num_frames, s) for s in INTERRUPT_S]
    return found


def measure(name: DetectorName, num: int, minutes: float, seed: int) -> list[dict[str, object]]:
    call = read_call()
    spoken = [
        (began_s, probabilities(name, pcm)) for began_s, pcm in interruptions(call, num, seed)
    ]
    kinds: tuple[Kind, ...] = ("noise", "back_channel")
    other, num_moments = {}, {}
    for kind in kinds:
        cuts = list(without_interruptions(call, kind, minutes / 2, seed))
        other[kind], num_moments[kind] = probabilities(name, np.concatenate(cuts)), len(cuts)
    rows: list[dict[str, object]] = []
    for trigger in triggers(name):
        found = delays_ms(name, spoken, trigger)
        row: dict[str, object] = {
            "detector": name,
            **trigger._asdict(),
            "notice_ms": percentiles(found),
            "missed": sum(delay is None for delay in found),
        }
        for kind, given in other.items():
            kinds_of_change = [change.kind for _, change in changes(name, given, trigger)]
            row[f"false_{kind}"] = f"{kinds_of_change.count(trigger.kind)} of {num_moments[kind]}"
        rows.append(row)
    return rows


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--n", type=int, default=100)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    names: tuple[DetectorName, ...] = ("silero", "webrtc")
    rows = [row for name in names for row in measure(name, args.n, args.minutes, args.seed)]
    for row in rows:
        say(" ".join(f"{key}={value}" for key, value in row.items()))
    say(json.dumps({"benchmark": "voice_activity", "minutes": args.minutes, "rows": rows}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
