"""What is made of the turns of a benchmark: percentiles, reuse of a slot, and a gate that can
fail."""

from dataclasses import replace

import pytest

from benchmarks.barge_in import faults
from benchmarks.cancel import Plan, percentiles, quantile, reuses_ms, row
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


def test_a_slot_is_in_use_again_with_the_next_prefill():
    following = replace(GOOD, sent_s=11.0, stopped_s=None, marks={"prefill": 10.25})
    assert [round(ms, 3) for ms in reuses_ms([GOOD, following])] == [50.0]


def test_a_row_tells_what_was_stopped_and_how_fast():
    told = row(Plan(2, "http", 1, 1), [GOOD, replace(GOOD, sent_s=10.0)], BASELINE)
    assert told["ack_ms"]["p99"] == pytest.approx(10.0)
    assert told["engine_ms"]["p50"] == pytest.approx(5.0)
    assert told["silence_ms"]["p50"] == 0.0
    assert told["steps_after"] == {"p99": 0, "max": 0}
    assert (told["bytes_after_ack"], told["wasted_audio_s_mean"]) == (0, 0.4)
    assert told["next_ttfa_ratio"] == 1.0


def test_the_gate_passes_what_is_good():
    assert list(faults([GOOD] * 100, BASELINE)) == []


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"acknowledged_s": 10.3}, "acknowledgement p50"),
        ({"steps_after": 3}, "steps after an abort: max 3"),
        ({"cells_after": 2}, "2 cells of the vocoder"),
        ({"bytes_after_ack": 960}, "bytes after an acknowledgement"),
        ({"first_audio_s": 10.2}, "next first audio 2.00"),
    ],
)
def test_the_gate_names_each_bound_that_is_broken(change, named):
    assert any(named in fault for fault in faults([replace(GOOD, **change)] * 100, BASELINE))
