"""How long sound stays in the room of a recording, estimated from speech alone.

Where speech ends, its level falls as fast as the room lets it: within 0.1 s beside the microphone,
and in a room where sound takes 0.8 s to fall by 60 dB never faster than that. So the fastest falls
tell the room. Pure numpy; knows nothing about files or voices.
"""

import numpy as np
from numpy.typing import NDArray

Samples = NDArray[np.float32]

HOP_S, FRAME_S = 0.01, 0.02
FROM_DB, TO_DB = 5.0, 25.0  # of a fall, below its peak: the stretch that is measured
PEAK_WITHIN_S = 0.1  # a peak is the loudest frame this far before and behind it
LOUD_DB = 12.0  # a peak is not further below the loudest second
LONGEST_S = 2.0  # of a fall
RIPPLE_DB = 3.0  # a rise of more than this ends a fall
FASTEST_SHARE = 0.1  # of the falls, that tell the room
ECHO_S = 0.45  # a longer decay is heard as a room


def decay_s(wav: Samples, rate: int) -> float | None:
    """Seconds in which the sound of the room falls by 60 dB; None where no fall can be measured. Of
    dry speech: 0.1 to 0.2."""
    levels = _levels_db(wav, rate)
    falls = [
        seconds
        for peak in _peaks(levels)
        if (seconds := _fall_s(levels[peak : peak + round(LONGEST_S / HOP_S)])) is not None
    ]
    return round(float(np.quantile(falls, FASTEST_SHARE)), 2) if falls else None


def _levels_db(wav: Samples, rate: int) -> NDArray[np.float64]:
    frame = round(FRAME_S * rate)
    starts = np.arange(0, len(wav) - frame, round(HOP_S * rate))
    sums = np.concatenate([[0.0], np.cumsum(np.square(wav, dtype=np.float64))])
    power = (sums[starts + frame] - sums[starts]) / frame
    levels: NDArray[np.float64] = 10 * np.log10(np.maximum(power, 1e-10))
    return levels


def _peaks(levels: NDArray[np.float64]) -> list[int]:
    second, reach = round(1 / HOP_S), round(PEAK_WITHIN_S / HOP_S)
    if len(levels) < second:
        return []
    least = np.sort(levels)[-second] - LOUD_DB
    loud = np.flatnonzero(levels > least).tolist()
    return [at for at in loud if levels[at] >= levels[max(0, at - reach) : at + reach + 1].max()]


def _fall_s(levels: NDArray[np.float64]) -> float | None:
    """From a peak on: the time of a fall by 60 dB as fast as this one; None where the level rises
    again before it has fallen by TO_DB."""
    below = levels[0] - levels
    ended = np.flatnonzero(below >= TO_DB)
    if not len(ended):
        return None
    fall = below[: ended[0] + 1]
    if np.any(np.maximum.accumulate(fall) - fall > RIPPLE_DB):
        return None
    begun = int(np.flatnonzero(fall >= FROM_DB)[0])
    return float((len(fall) - begun) * HOP_S * 60 / (TO_DB - FROM_DB))
