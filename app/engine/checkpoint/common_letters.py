"""The longest letters that two texts have in common, in order. Pure.

The time is that of the product of the lengths, whatever the texts are: 3 ms for two segments of 300
characters. difflib took 290 ms for one whose dots were spread, and 89 s for 2,000 characters
(2026-11-30).
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

_LETTER = 1 << 12  # what a letter counts: more than all marks of a segment


def common_letters(old: Sequence[str], new: Sequence[str]) -> list[tuple[int, int]]:
    """Pairs of equal letters, their numbers in both. No mark costs a letter."""
    numbers: dict[str, int] = {}
    coded = [[numbers.setdefault(letter, len(numbers)) for letter in text] for text in (old, new)]
    worth = np.array([_LETTER if letter.isalnum() else 1 for letter in old], np.int32)
    best = _best(np.array(coded[0], np.int32), np.array(coded[1], np.int32), worth)
    pairs = []
    one, other = len(old), len(new)
    while one and other:
        here = best[one, other]
        if here == best[one - 1, other]:
            one -= 1
        elif here == best[one, other - 1]:
            other -= 1
        else:
            one, other = one - 1, other - 1
            pairs.append((one, other))
    return pairs[::-1]


def _best(
    old: NDArray[np.int32], new: NDArray[np.int32], worth: NDArray[np.int32]
) -> NDArray[np.int32]:
    """[i, j]: what the first i letters of `old` and the first j of `new` have in common."""
    best = np.zeros((len(old) + 1, len(new) + 1), np.int32)
    for number, letter in enumerate(old):
        before, row = best[number], best[number + 1]
        row[1:] = np.where(new == letter, before[:-1] + worth[number], 0)
        np.maximum(row, before, out=row)
        np.maximum.accumulate(row, out=row)
    return best
