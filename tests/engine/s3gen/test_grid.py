from hypothesis import given
from hypothesis import strategies as st

from app.config import T3Settings, VocoderSettings
from app.core import LOOK_AHEAD_TOKENS
from app.engine.s3gen.grid import Cell, Grid

grids = st.builds(
    Grid,
    first=st.integers(1, 40),
    growth=st.floats(1, 4),
    longest=st.integers(40, 100),
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


def test_cells_grow_to_the_longest():
    grid = Grid(first=12, growth=2.0, longest=50)
    assert [cell.end - cell.start for cell in cells(grid, [200])] == [12, 24, 48, 50, 50, 16]


def test_a_window_bounds_the_context_of_a_cell():
    settings = VocoderSettings(policy="window", prompt_s=3.0, left_tokens=25)
    window, full = Grid.from_settings(settings), Grid(first=12, growth=2.0, longest=50)
    assert max(cell.start - cell.context for cell in cells(window, [500])) == 25
    assert window.prompt_start(250) == 175
    assert window.prompt_start(40) == 0
    assert {cell.context for cell in cells(full, [500])} == {0}
    assert full.prompt_start(250) == 0


def test_the_first_two_cells_run_when_a_group_of_t3_arrives():
    t3, grid = T3Settings(), Grid.from_settings(VocoderSettings())
    messages = {t3.first_group + t3.group * n for n in range(5)}
    first = grid.next_cell(None, 1000, finished=False)
    assert first is not None
    second = grid.next_cell(first, 1000, finished=False)
    assert second is not None
    assert {first.visible, second.visible} <= messages
