import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.config import VocoderSettings
from app.core import LOOK_AHEAD_TOKENS
from app.engine.s3gen.grid import Cell, Grid
from app.engine.s3gen.ladders import LADDERS, Ladder
from app.t3_settings import T3Settings

grids = st.builds(
    Grid,
    st.lists(st.integers(1, 100), min_size=1, max_size=5).map(tuple),
    left_tokens=st.none() | st.integers(0, 50),
)


def cells(grid: Grid, arrivals: list[int]) -> list[Cell]:
    """Every cell that runs while tokens arrive in groups. The last group ends the segment."""
    done: list[Cell] = []
    num_tokens = 0
    for index, count in enumerate(arrivals):
        num_tokens += count
        finished = index == len(arrivals) - 1
        while cell := grid.next_cell(done[-1] if done else None, num_tokens, finished):
            done.append(cell)
    return done


@given(grids, st.lists(st.integers(0, 30), min_size=1, max_size=40))
def test_cells_do_not_depend_on_the_grouping_of_tokens(grid: Grid, arrivals: list[int]):
    assert cells(grid, arrivals) == cells(grid, [sum(arrivals)])


@given(grids, st.integers(0, 1000))
def test_cells_voice_every_token_once(grid: Grid, num_tokens: int):
    run = cells(grid, [num_tokens])
    assert [cell.start for cell in run] == [0, *(cell.end for cell in run[:-1])]
    assert run[-1].end == num_tokens
    assert [cell.is_last for cell in run] == [False] * (len(run) - 1) + [True]


@given(grids, st.integers(0, 1000))
def test_every_inner_cell_sees_the_whole_look_ahead(grid: Grid, num_tokens: int):
    for cell in cells(grid, [num_tokens])[:-1]:
        assert cell.visible - cell.end == LOOK_AHEAD_TOKENS


@given(grids, st.integers(1, 1000))
def test_the_last_of_several_cells_is_not_tiny(grid: Grid, num_tokens: int):
    run = cells(grid, [num_tokens])
    assert len(run) == 1 or run[-1].end - run[-1].start >= LOOK_AHEAD_TOKENS


def test_the_last_size_of_the_ladder_is_repeated():
    run = cells(Grid((12, 24, 48)), [200])
    assert [cell.num_tokens for cell in run] == [12, 24, 48, 48, 48, 20]


def test_a_window_bounds_the_context_of_a_cell():
    settings = VocoderSettings(policy="window", prompt_s=3.0, left_tokens=25)
    window, full = Grid.from_settings(settings), Grid((12, 24, 48))
    assert max(cell.start - cell.context for cell in cells(window, [500])) == 25
    assert window.prompt_start(250) == 175
    assert window.prompt_start(40) == 0
    assert {cell.context for cell in cells(full, [500])} == {0}
    assert full.prompt_start(250) == 0


@pytest.mark.parametrize("ladder", LADDERS)
def test_every_cell_runs_when_a_group_of_t3_arrives(ladder: Ladder):
    t3 = T3Settings()
    messages = {t3.first_group + t3.group * n for n in range(50)}
    seen = {cell.visible for cell in cells(Grid(ladder), [500]) if not cell.is_last}
    assert len(seen) > 5
    assert seen <= messages
