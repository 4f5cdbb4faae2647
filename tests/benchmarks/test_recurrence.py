import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.recurrence import (
    LENGTHS,
    Stream,
    arrivals_s,
    first_server,
    gaps_s,
    parse,
    prebuffer_s,
    this_server,
)
from tests.support.last_line import run_script

BLOCKING, OVERLAPPED, LONG_FIRST, FEW_TOKENS, DEAR_FLOW = first_server()

streams = st.builds(
    Stream,
    name=st.just("any"),
    cells=st.lists(st.integers(1, 50), min_size=1, max_size=4).map(tuple),
    tokens_per_s=st.floats(5, 500),
    call_s=st.floats(0.001, 2),
    token_s=st.floats(0, 0.05),
    held_back_s=st.floats(0, 0.3),
    is_blocking=st.booleans(),
)


def test_a_blocking_pipeline_stalls_before_every_cell():
    assert gaps_s(BLOCKING, 5) == pytest.approx([0.71, 0.19, 0.19, 0.19])


def test_an_overlapped_pipeline_stalls_once():
    assert gaps_s(OVERLAPPED, 5) == pytest.approx([0.52, 0, 0, 0])
    assert prebuffer_s(OVERLAPPED, 1000) == pytest.approx(0.52)


def test_a_first_cell_of_25_tokens_never_stalls():
    assert gaps_s(LONG_FIRST, 100) == pytest.approx([0] * 99)
    assert prebuffer_s(LONG_FIRST, 1000) == pytest.approx(0)


@pytest.mark.parametrize("stream", [BLOCKING, FEW_TOKENS, DEAR_FLOW])
def test_above_real_time_no_buffer_serves_every_length(stream):
    short, long, longest = (prebuffer_s(stream, num_cells) for num_cells in LENGTHS)
    assert long > 2 * short
    assert longest > 2 * long


def test_the_held_back_sound_of_the_first_cell_shortens_the_lead():
    cells = (13, 26, 52)
    ours = Stream("ours", cells, 60, 0.05, held_back_s=0.22)
    plain = Stream("nothing held back", cells, 60, 0.05)
    assert prebuffer_s(ours, 10) == pytest.approx(26 / 60 - (0.52 - 0.22))
    assert prebuffer_s(plain, 10) == pytest.approx(0)


def test_this_server_chooses_its_cells_by_the_speed():
    slower, faster = this_server(60, 0.05), this_server(200, 0.05)
    assert slower.cells == (13, 13, 26, 26, 52)
    assert faster.cells == (13, 26, 52)
    assert slower.held_back_s == faster.held_back_s == pytest.approx(0.22)
    assert prebuffer_s(slower, 1000) == prebuffer_s(faster, 1000) == pytest.approx(0)


@given(streams, st.integers(1, 30))
def test_the_gaps_of_a_player_that_does_not_wait_add_up_to_the_prebuffer(stream, num_cells):
    assert sum(gaps_s(stream, num_cells)) == pytest.approx(prebuffer_s(stream, num_cells), abs=1e-6)


@given(streams, st.integers(1, 30))
def test_cells_arrive_in_order_and_no_sooner_than_they_can_be_voiced(stream, num_cells):
    arrived, sizes = arrivals_s(stream, num_cells), stream.sizes(num_cells)
    for index in range(1, num_cells):
        assert arrived[index] >= arrived[index - 1] + stream.cost_s(sizes[index]) - 1e-9


def test_the_last_line_is_one_json_object():
    output, result = run_script("recurrence.py")
    assert result["benchmark"] == "recurrence"
    assert result["rows"][0]["gaps_s"] == [0.71, 0.19, 0.19, 0.19]
    assert result["rows"][1]["name"] in output
    _, own = run_script("recurrence.py", "--tokens-per-s", "60", "--call-s", "0.1")
    assert [len(result["rows"]), len(own["rows"])] == [9, 1]


@pytest.mark.parametrize("options", [["--call-s", "0.1"], ["--tokens-per-s", "0"]])
def test_a_speed_that_cannot_be_is_refused(options, capsys):
    with pytest.raises(SystemExit):
        parse(options)
    assert options[0] in capsys.readouterr().err
