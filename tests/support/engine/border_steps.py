"""How much a wave jumps where two windows of the vocoder meet."""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from app.core import SAMPLE_RATE

AROUND = SAMPLE_RATE * 40 // 1000  # samples: 40 ms


def border_step(wave: NDArray[np.float32], border: int) -> float:
    """|dx| across the border over the 99.9th percentile of |dx| within 40 ms. Above 1 it clicks."""
    first = max(0, border - AROUND)
    step = np.abs(np.diff(wave[first : border + AROUND + 1]))
    at = border - first
    return float(step[at - 2 : at + 1].max() / np.percentile(step, 99.9))


def worst_step(wave: NDArray[np.float32], borders: Iterable[int]) -> float:
    return max(border_step(wave, border) for border in borders)
