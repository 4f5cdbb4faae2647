"""When the sound of each cell of a stream is there, and how long its player must wait.

The formulas of docs/latency.md in plain numbers. A stream is the sizes of its cells in tokens, T3's
rate for it and the cost of its cells. Knows nothing about engines, clocks or sessions.
"""

from collections.abc import Callable, Sequence
from itertools import accumulate

from app.core import FRAMES_PER_TOKEN, LOOK_AHEAD_TOKENS, TOKENS_PER_S

TOKEN_S = 1 / TOKENS_PER_S  # of sound
WATERMARK_OVERLAP_S = 0.02  # app/engine/watermark.py holds it back for its cross-fade

CellCost = Callable[[int], float]  # seconds of a cell, by its tokens


def cell_size(ladder: Sequence[int], index: int) -> int:
    """The tokens of a cell. The last size of the ladder is repeated."""
    return ladder[min(index, len(ladder) - 1)]


def held_back_s(halo_frames: int) -> float:
    """Sound of the newest cell that leaves with the next one (`vocoder.halo_frames`)."""
    return halo_frames / (TOKENS_PER_S * FRAMES_PER_TOKEN) + WATERMARK_OVERLAP_S


def tokens_there_s(
    sizes: Sequence[int],
    tokens_per_s: float,
    prompt_end_s: float = 0.0,
    *,
    is_whole: bool = False,
) -> list[float]:
    """T(k): when the tokens of each cell and its look-ahead are there.

    `is_whole`: the last cell ends the segment, and waits for its own tokens alone.
    """
    needed = [num_tokens + LOOK_AHEAD_TOKENS for num_tokens in accumulate(sizes)]
    if is_whole and needed:
        needed[-1] -= LOOK_AHEAD_TOKENS
    return [prompt_end_s + num_tokens / tokens_per_s for num_tokens in needed]


def arrivals_s(
    sizes: Sequence[int],
    tokens_per_s: float,
    cell_cost: CellCost,
    prompt_end_s: float = 0.0,
    *,
    is_whole: bool = False,
) -> list[float]:
    """A(k): when the sound of each cell is there, by the clock of `prompt_end_s`.

    A(k) = max(T(k), A(k-1)) + c(k). `cell_cost` has the wait for other sessions' cells in it.
    """
    found: list[float] = []
    ready_s = tokens_there_s(sizes, tokens_per_s, prompt_end_s, is_whole=is_whole)
    for size, tokens_s in zip(sizes, ready_s, strict=True):
        found.append(max([tokens_s, *found[-1:]]) + cell_cost(size))
    return found


def played_s(sizes: Sequence[int], held_back_s: float) -> list[float]:
    """The sound that left before each cell: 40 ms for each token, less the held-back part."""
    ends = [0, *accumulate(sizes[:-1])] if sizes else []
    return [max(0.0, num_tokens * TOKEN_S - held_back_s) for num_tokens in ends]


def prebuffer_s(arrived_s: Sequence[float], played_s: Sequence[float]) -> float:
    """How long a player must wait after the first sound so that it never runs dry. Both sequences
    have one number for each cell."""
    return max(
        at_s - arrived_s[0] - sound_s for at_s, sound_s in zip(arrived_s, played_s, strict=True)
    )
