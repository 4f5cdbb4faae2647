"""The evaluation of turns: percentiles, reuse of a slot, and the bounds of a barge-in."""

from dataclasses import replace

import pytest

from benchmarks.barge_in import broken_bounds
from benchmarks.cancel import Plan, percentiles, reuses_ms, summarise
from benchmarks.measure import quantile
from benchmarks.turns import Turn

GOOD = Turn(
    "good",
    sent_s=10.0,
    first_audio_s=10.1,
    last_audio_s=10.15,
    stopped_s=10.2,
    acknowledged_s=10.21,
    state="stopped",
    num_bytes=9600,
    marks={"prefill": 10.02, "t3_stopped": 10.205},
    steps_after=0,
    cells_after=0,
    discarded_s=0.4,
)
BASELINE = [100.0] * 20


def test_a_quantile_is_a_value_that_was_seen():
    assert [quantile(range(100), q) for q in (0.5, 0.95, 0.99)] == [50, 95, 99]
    assert quantile([], 0.5) is None
    assert percentiles([None, None]) is None


def test_a_slot_is_reused_at_the_next_prefill():
    following = replace(GOOD, sent_s=11.0, stopped_s=None, marks={"prefill": 10.25})
    assert [round(ms, 3) for ms in reuses_ms([GOOD, following])] == [50.0]


def test_a_row_has_the_figures_of_its_stops():
    figures = summarise(Plan(2, "http", 1, 1), [GOOD, replace(GOOD, sent_s=10.0)], BASELINE)
    assert figures["ack_ms"]["p99"] == pytest.approx(10.0)
    assert figures["engine_ms"]["p50"] == pytest.approx(5.0)
    assert figures["silence_ms"]["p50"] == 0.0
    assert figures["steps_after"] == {"p99": 0, "max": 0}
    assert (figures["bytes_after_ack"], figures["wasted_audio_s_mean"]) == (0, 0.4)
    assert figures["next_ttfa_ratio"] == 1.0


def test_the_legs_of_an_acknowledgement_sum_up_to_it():
    marks = {
        "prefill": 10.02,
        "last_step": 10.19,
        "cancel_received": 10.202,
        "cancel_logged": 10.203,
        "t3_told": 10.204,
        "t3_stopped": 10.206,
        "acknowledged": 10.208,
    }
    turn = replace(GOOD, marks=marks, num_tokens=35)
    legs_ms = [round(ms, 3) for ms in turn.ack_legs_ms.values()]
    assert legs_ms == [2.0, 1.0, 1.0, 2.0, 2.0, 2.0]
    assert sum(turn.ack_legs_ms.values()) == pytest.approx(turn.ack_ms)
    assert turn.step_ms == pytest.approx(5.0)
    figures = summarise(Plan(2, "http", 1, 1), [turn, GOOD], BASELINE)
    assert figures["legs_ms"]["to_registry"]["p50"] == pytest.approx(1.0)
    assert figures["legs_sum_ms"]["p95"] == pytest.approx(10.0)
    assert figures["step_ms"]["p50"] == pytest.approx(5.0)
    assert figures["over_step_ms"]["p95"] == pytest.approx(5.0)  # of the turn whose step is known


def test_a_turn_that_t3_had_not_stopped_has_no_legs():
    assert GOOD.ack_legs_ms == {}
    assert replace(GOOD, acknowledged_s=None).ack_legs_ms == {}


def test_good_turns_break_no_bound():
    assert list(broken_bounds([GOOD] * 100, BASELINE)) == []


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"acknowledged_s": 10.3}, "acknowledgement p50 is"),
        ({"steps_after": 3}, "steps after an abort: at most 3"),
        ({"cells_after": 2}, "2 cells of the vocoder"),
        ({"bytes_after_ack": 960}, "bytes arrived after an acknowledgement"),
        ({"first_audio_s": 10.2}, "next first audio is 2.00"),
    ],
)
def test_each_broken_bound_is_named(change, named):
    assert any(named in line for line in broken_bounds([replace(GOOD, **change)] * 100, BASELINE))
