"""Where a recording has speech, and what can be told of its sound: level, noise, clipping.

Speech is found by its level alone, beside the loudest second of the recording and its quietest
parts: a recording may be loud or quiet, and noise that is steady is not speech. Pure numpy; knows
nothing about files, voices or models.
"""

from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

Samples = NDArray[np.float32]

FRAME_S = 0.02
MARGIN_S = 0.1  # kept before the first sound of speech and behind the last one
LEAST_RUN_S = 0.06  # a shorter sound is a click
LEAST_REGION_S = 0.2  # a shorter region is a knock or a cough
BRIDGED_S = 0.5  # a pause up to this length belongs to the speech around it
FLOOR_DB = -100.0  # of a frame of zeros
SILENT_DBFS = -60.0  # the loudest second of a recording that counts as silent
RANGE_DB = 30.0  # what is further below the loudest second is no speech
ABOVE_NOISE_DB = 9.0
STEADY_DB = 6.0  # the quietest tenth of a recording without speech is not further below
FULL_SCALE = 0.999
LEAST_PAUSES_S = 0.3  # of which the noise is estimated

CLIPPED_SHARE = 0.001
NOISY_DB = 15.0
SPARSE_SHARE = 0.6
QUIET_DBFS = -45.0
ANTIPHASE_SHARE = 0.1  # of the louder channel's power: less is left where channels cancel out


Warning = Literal["clipped", "noisy", "quiet", "sparse", "echo", "several_voices"]


@dataclass(frozen=True, slots=True)
class Heard:
    """What was heard of a recording, from its first to its last word. A level is a root mean square
    in dB relative to full scale."""

    speech_s: float  # with short pauses
    level_dbfs: float  # of the speech
    noise_dbfs: float | None  # of the pauses; None where there are too few
    clipped_share: float  # of the samples
    warnings: tuple[Warning, ...]  # what may make a worse voice
    decay_s: float | None = None  # of the room, by 60 dB; None where it is not measured


@dataclass(frozen=True, slots=True)
class SpeechActivity:
    """`start`, `stop`: from the first to the last sound of speech, with a margin, in samples."""

    start: int
    stop: int
    heard: Heard


def parse_heard(fields: dict[str, Any]) -> Heard:
    """From the JSON of its fields."""
    return Heard(**{**fields, "warnings": tuple(fields["warnings"])})


def one_channel(channels: Samples) -> Samples:
    """The mean of all channels (channels, samples). The louder of two that cancel each other out,
    as those of a cable with crossed poles do."""
    mean: Samples = channels.mean(axis=0, dtype=np.float32)
    powers = [_power(channel - channel.mean()) for channel in channels]
    if len(channels) == 2 and _power(mean - mean.mean()) < ANTIPHASE_SHARE * min(powers):
        mean = channels[int(np.argmax(powers))]
    return mean


def find_speech(wav: Samples, rate: int) -> SpeechActivity | None:
    """None where there is no speech. An offset of the samples does not count."""
    levels = _levels_db(wav - wav.mean(), rate) if len(wav) else np.zeros(0)
    threshold = _threshold_db(levels)
    if threshold is None:
        return None
    is_loud = levels > threshold
    regions = _regions(is_loud)
    if not regions:
        return None
    first, last = regions[0][0], regions[-1][1]
    frame, margin = round(FRAME_S * rate), round(MARGIN_S * rate)
    start, stop = max(0, first * frame - margin), min(len(wav), last * frame + margin)
    within, are_loud = levels[first:last], is_loud[first:last]
    heard = Heard(
        speech_s=round(sum(behind - at for at, behind in regions) * FRAME_S, 3),
        level_dbfs=round(_mean_db(within[are_loud]), 1),
        noise_dbfs=_noise_db(within[~are_loud]),
        clipped_share=_clipped_share(wav),
        warnings=(),
    )
    warnings = _warnings(heard, used_s=(last - first) * FRAME_S)
    return SpeechActivity(start, stop, replace(heard, warnings=warnings))


def _warnings(heard: Heard, used_s: float) -> tuple[Warning, ...]:
    noise_dbfs = heard.noise_dbfs
    found: dict[Warning, bool] = {
        "clipped": heard.clipped_share >= CLIPPED_SHARE,
        "noisy": noise_dbfs is not None and heard.level_dbfs - noise_dbfs < NOISY_DB,
        "quiet": heard.level_dbfs < QUIET_DBFS,
        "sparse": heard.speech_s < SPARSE_SHARE * used_s,
    }
    return tuple(name for name, is_so in found.items() if is_so)


def _threshold_db(levels: NDArray[np.float64]) -> float | None:
    """The level above which a frame is speech; None where no frame can be."""
    second = round(1.0 / FRAME_S)
    if len(levels) < second:
        return None
    loudest = float(np.sort(levels)[-second])
    noise = float(np.quantile(levels, 0.1))
    if loudest < SILENT_DBFS or loudest - noise < STEADY_DB:
        return None
    return min(max(loudest - RANGE_DB, noise + ABOVE_NOISE_DB), loudest - STEADY_DB)


def _regions(is_loud: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """The first frame of each stretch of speech, and the frame behind it."""
    regions: list[tuple[int, int]] = []
    for start, stop in _runs(is_loud):
        if (stop - start) * FRAME_S < LEAST_RUN_S:
            continue
        if regions and (start - regions[-1][1]) * FRAME_S <= BRIDGED_S:
            regions[-1] = (regions[-1][0], stop)
        else:
            regions.append((start, stop))
    return [(start, stop) for start, stop in regions if (stop - start) * FRAME_S >= LEAST_REGION_S]


def _runs(is_loud: NDArray[np.bool_]) -> list[tuple[int, int]]:
    padded = np.concatenate([[False], is_loud, [False]]).astype(np.int8)
    changes = np.flatnonzero(np.diff(padded)).tolist()
    return list(zip(changes[::2], changes[1::2], strict=True))


def _clipped_share(wav: Samples) -> float:
    """Of the samples at full scale, or at the recording's own peak: it may have been clipped before
    it was made quieter."""
    sizes = np.abs(wav)
    limits = (FULL_SCALE, FULL_SCALE * float(sizes.max()))
    return round(max(float(np.mean(sizes >= limit)) for limit in limits), 5)


def _levels_db(wav: Samples, rate: int) -> NDArray[np.float64]:
    size = round(FRAME_S * rate)
    frames = wav[: len(wav) // size * size].reshape(-1, size)
    power = np.mean(np.square(frames, dtype=np.float64), axis=1)
    levels: NDArray[np.float64] = 10 * np.log10(np.maximum(power, 10 ** (FLOOR_DB / 10)))
    return levels


def _mean_db(levels: NDArray[np.float64]) -> float:
    """The level of the mean power."""
    return float(10 * np.log10(np.mean(10 ** (levels / 10))))


def _noise_db(pauses: NDArray[np.float64]) -> float | None:
    """The lower quartile: the ends of words reach into the pauses."""
    if len(pauses) * FRAME_S < LEAST_PAUSES_S:
        return None
    return round(float(np.quantile(pauses, 0.25)), 1)


def _power(wav: Samples) -> float:
    return float(np.mean(np.square(wav, dtype=np.float64)))
