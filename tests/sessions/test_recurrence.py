"""The formulas against a simulation that knows none of them."""

import random
from collections.abc import Iterator

import pytest

from app.core import SAMPLE_RATE, Cost
from app.engine.s3gen.grid import Grid
from app.engine.watermark import OVERLAP
from app.sessions.recurrence import (
    WATERMARK_OVERLAP_S,
    arrivals_s,
    held_back_s,
    played_s,
    prebuffer_s,
    tokens_there_s,
)
from tests.support.simulated_stream import Machine, is_dry, simulate

NUM_PAIRS = 1000  # of T3's rate and the cost of cells


def machines(num: int) -> Iterator[Machine]:
    """Slow and fast ones: from a half of real time to twenty times."""
    dice = random.Random(12)
    for _ in range(num):
        grid = Grid(tuple(dice.randint(6, 100) for _ in range(dice.randint(1, 5))))
        cost = Cost(dice.uniform(0, 0.5), dice.uniform(0, 0.06))
        yield Machine(dice.uniform(12, 500), cost, dice.uniform(0, 1), grid, dice.randint(1, 400))


def test_cells_arrive_when_the_simulated_vocoder_has_them():
    for machine in machines(NUM_PAIRS):
        sizes, arrived = simulate(machine)
        told = arrivals_s(
            sizes, machine.tokens_per_s, machine.cost.of, machine.prompt_end_s, is_whole=True
        )
        assert told == pytest.approx(arrived), machine


def test_a_player_that_waits_for_the_prebuffer_never_runs_dry_and_one_that_waits_less_does():
    hidden_s = held_back_s(halo_frames=10)
    num_dry = 0
    for machine in machines(NUM_PAIRS):
        sizes, arrived = simulate(machine)
        wait_s = prebuffer_s(arrived, played_s(sizes, hidden_s))
        assert not is_dry(arrived, sizes, hidden_s, wait_s), machine
        if wait_s > 0:
            num_dry += 1
            assert is_dry(arrived, sizes, hidden_s, wait_s - 1e-3), machine
    assert NUM_PAIRS // 10 < num_dry < NUM_PAIRS * 9 // 10  # both kinds were there


def test_without_the_held_back_sound_or_the_look_ahead_the_simulation_disagrees():
    """The positive control: each part of the formulas is needed."""
    num_dry = num_early = 0
    for machine in machines(50):
        sizes, arrived = simulate(machine)
        careless_s = prebuffer_s(arrived, played_s(sizes, 0.0))
        num_dry += is_dry(arrived, sizes, held_back_s(halo_frames=10), careless_s)
        ready_s = tokens_there_s(sizes[:1], machine.tokens_per_s, is_whole=True)
        num_early += ready_s[0] + machine.cost.of(sizes[0]) < arrived[0] - 1e-9
    assert num_dry > 10
    assert num_early > 40


def test_the_first_sound_is_the_first_cell_less_what_is_held_back():
    assert played_s([13, 26, 50], 0.22) == pytest.approx([0.0, 0.3, 1.34])
    assert played_s([4, 26], 0.22) == [0.0, 0.0]  # shorter than what is held back
    assert played_s([], 0.22) == []


def test_the_watermark_holds_back_what_the_formula_says():
    assert WATERMARK_OVERLAP_S == OVERLAP / SAMPLE_RATE
