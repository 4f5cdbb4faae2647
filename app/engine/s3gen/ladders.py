"""The sizes of a segment's first cells, chosen for the machine that speaks.

A ladder lists the sizes in tokens; its last size is repeated. A longer first cell makes the first
sound later and hides more of the second cell. On a slow machine, cells that double would come too
late. So the ladder is chosen out of a few, by the recurrence of docs/latency.md, once for all
replicas: the borders of cells change the sound, so they must not depend on load or on the replica.
Knows nothing about time or torch.
"""

from app.core import Cost
from app.engine.speed import scaled
from app.sessions.recurrence import arrivals_s, cell_size, held_back_s, played_s, prebuffer_s

Ladder = tuple[int, ...]

# The ends of all cells are multiples of `t3.group`, 13 by default. T3's messages end three tokens
# behind them, so a cell runs when a message comes. The first of these that begins to play soonest
# is chosen; an earlier one has fewer calls.
LADDERS: tuple[Ladder, ...] = (
    (13, 26, 52),
    (13, 13, 26, 26, 52),
    (26, 39, 52),
)
RESERVE = 1.25  # each engine may be this much slower than measured: other work on its cores
_TOKENS_SEEN = 500  # of a segment; 20 s of sound


def cells_of(ladder: Ladder, num_tokens: int = _TOKENS_SEEN) -> list[int]:
    """The sizes of the cells that a segment of about this length has."""
    sizes: list[int] = []
    while sum(sizes) < num_tokens:
        sizes.append(cell_size(ladder, len(sizes)))
    return sizes


def starts_s(ladder: Ladder, t3: Cost, vocoder: Cost, halo_frames: int) -> float:
    """When the sound of a lone stream can begin so that it never stops: the first sound and the
    prebuffer, from the end of the prompt. `t3`: of a step, `vocoder`: of a cell."""
    sizes = cells_of(ladder)
    arrived_s = arrivals_s(sizes, 1 / t3.of(1), vocoder.of)
    return arrived_s[0] + prebuffer_s(arrived_s, played_s(sizes, held_back_s(halo_frames)))


def choose(t3: Cost, vocoder: Cost, halo_frames: int) -> Ladder:
    """The ladder whose sound begins soonest on this machine."""
    step, cell = scaled(t3, RESERVE), scaled(vocoder, RESERVE)
    return min(LADDERS, key=lambda ladder: starts_s(ladder, step, cell, halo_frames))
