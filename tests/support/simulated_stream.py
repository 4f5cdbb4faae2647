"""One stream on a machine whose speed is given.

T3 makes tokens one by one, a vocoder runs each cell that its grid lets run, and a player plays, all
on one clock. Knows no formula.
"""

from dataclasses import dataclass

from app.core import TOKENS_PER_S, Cost
from app.engine.s3gen.grid import Cell, Grid
from tests.support.clock import Clock


@dataclass(frozen=True)
class Machine:
    tokens_per_s: float
    cost: Cost
    prompt_end_s: float
    grid: Grid
    num_tokens: int  # of the segment


def simulate(machine: Machine) -> tuple[list[int], list[float]]:
    """The sizes of the cells, and when the sound of each was there."""
    clock, num_there, cell, sizes, arrived = Clock(), 0, None, [], []
    began_s = clock.now + machine.prompt_end_s

    def next_cell() -> Cell | None:
        finished = num_there == machine.num_tokens
        return machine.grid.next_cell(cell, num_there, finished=finished)

    def token_s(num: int) -> float:
        return began_s + num / machine.tokens_per_s

    while cell is None or not cell.is_last:
        while (upcoming := next_cell()) is None:
            num_there += 1
            clock.now = max(clock.now, token_s(num_there))
        cell = upcoming
        sizes.append(cell.num_tokens)
        clock.now += machine.cost.of(cell.num_tokens)
        arrived.append(clock.now - Clock().now)
        while num_there < machine.num_tokens and token_s(num_there + 1) <= clock.now:
            num_there += 1  # T3 went on in the meantime
    return sizes, arrived


def is_dry(arrived: list[float], sizes: list[int], hidden_s: float, wait_s: float) -> bool:
    """Whether a player that starts `wait_s` after the first sound runs dry. The newest `hidden_s`
    of what was voiced have not left yet."""
    starts_s, voiced_s = arrived[0] + wait_s, 0.0
    for at_s, size in zip(arrived, sizes, strict=True):
        has_left_s = max(0.0, voiced_s - hidden_s)
        if at_s > starts_s + has_left_s + 1e-9:
            return True
        voiced_s += size / TOKENS_PER_S
    return False
