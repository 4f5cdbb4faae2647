"""The choice of cells, with machines whose engines cost anything from nothing to too much."""

import random
from collections.abc import Iterator
from dataclasses import replace

import pytest

from app.config import VocoderSettings
from app.core import Cost
from app.engine.s3gen.grid import Grid
from app.engine.s3gen.ladders import LADDERS, Ladder, cells_of, choose, starts_s
from app.sessions.recurrence import arrivals_s
from app.t3_settings import T3Settings

HALO = VocoderSettings().halo_frames
NUM_PAIRS = 1000  # of T3's rate and the cost of cells
# Like the embedded model on two cores: a step of T3, a cell of the vocoder.
STEP, CELL = Cost(0.010, 0.003), Cost(0.050, 0.011)


def machines() -> Iterator[tuple[Cost, Cost]]:
    dice = random.Random(7)
    for _ in range(NUM_PAIRS):
        step = Cost(1 / dice.uniform(12, 500), 0.0)
        yield step, Cost(dice.uniform(0, 0.6), dice.uniform(0, 0.05))


def slowed(cost: Cost, factor: float) -> Cost:
    return Cost(factor * cost.base_s, factor * cost.each_s)


def test_no_other_ladder_would_play_sooner():
    for step, cell in machines():
        chosen = choose(step, cell, HALO)
        reserved = [slowed(cost, 1.25) for cost in (step, cell)]
        soonest_s = min(starts_s(ladder, *reserved, HALO) for ladder in LADDERS)
        assert starts_s(chosen, *reserved, HALO) == pytest.approx(soonest_s)


def test_every_ladder_is_the_best_one_for_some_machine():
    chosen = {choose(step, cell, HALO) for step, cell in machines()}
    assert chosen == set(LADDERS)


def test_a_machine_that_is_fast_enough_has_the_fewest_calls_and_holds_nothing():
    chosen = choose(slowed(STEP, 0.2), slowed(CELL, 0.2), HALO)
    assert chosen == LADDERS[0]
    first_s = arrivals_s(cells_of(chosen), 1 / (0.2 * STEP.of(1)), slowed(CELL, 0.2).of)[0]
    assert starts_s(chosen, slowed(STEP, 0.2), slowed(CELL, 0.2), HALO) == pytest.approx(first_s)


@pytest.mark.parametrize("factor", [0.5, 1.0, 2.0, 4.0])
def test_nothing_is_tuned_to_one_processor(factor: float):
    """Whatever the machine, the sound begins as soon as with any of the fixed ladders, but for the
    reserve."""
    step, cell = slowed(STEP, factor), slowed(CELL, factor)
    chosen_s = starts_s(choose(step, cell, HALO), step, cell, HALO)
    assert chosen_s <= 1.1 * min(starts_s(ladder, step, cell, HALO) for ladder in LADDERS)


def test_a_fixed_ladder_would_be_tuned_to_one_processor():
    """The positive control: each ladder plays a tenth later than the best on some machine."""
    for fixed in LADDERS:
        assert any(
            starts_s(fixed, step, cell, HALO)
            > 1.1 * min(starts_s(ladder, step, cell, HALO) for ladder in LADDERS)
            for step, cell in machines()
        )


def test_all_ladders_end_with_the_same_longest_cell():
    """Memory and graphs are laid out for it before a ladder is chosen."""
    assert len({max(ladder) for ladder in LADDERS}) == 1
    assert all(ladder[-1] == max(ladder) for ladder in LADDERS)


def test_a_grid_has_the_cells_of_the_settings():
    fixed = VocoderSettings(cells=(10, 20))
    assert Grid.from_settings(fixed).ladder == (10, 20)
    assert Grid.from_settings(VocoderSettings()).ladder == LADDERS[0]
    assert [replace(Grid.from_settings(fixed)).size(n) for n in range(4)] == [10, 20, 20, 20]


@pytest.mark.parametrize("ladder", LADDERS)
def test_cells_end_where_messages_of_t3_end(ladder: Ladder):
    assert all(size % T3Settings().group == 0 for size in ladder)
