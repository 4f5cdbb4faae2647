"""Impossible timings are violations, possible ones are not."""

from dataclasses import replace

import pytest

from loadtests.records import as_line, read_records, violations
from loadtests.run_log import RunLog
from loadtests.summary import summary
from tests.support.loadtests.benches import GOOD

CANCELLED = replace(GOOD, cancelled_s=10.5, acknowledged_s=10.52, ack_state="stopped")
SILENT = replace(GOOD, first_audio_s=None, last_audio_s=None, num_bytes=0)


@pytest.mark.parametrize("record", [GOOD, CANCELLED, SILENT], ids=["good", "cancelled", "silent"])
def test_a_possible_record_has_no_violation(record):
    assert list(violations(record)) == []


@pytest.mark.parametrize(
    ("record", "changes"),
    [
        (GOOD, {"intended_s": 10.1}),
        (GOOD, {"first_audio_s": 10.001}),
        (GOOD, {"first_audio_s": 9.0}),
        (GOOD, {"last_audio_s": 10.1}),
        (GOOD, {"done_s": 10.9}),
        (GOOD, {"last_audio_s": None}),
        (GOOD, {"num_bytes": 0}),
        (SILENT, {"num_bytes": 10}),
        (SILENT, {"done_s": 10.0}),
        (CANCELLED, {"cancelled_s": 10.0}),
        (CANCELLED, {"acknowledged_s": 10.4}),
        (CANCELLED, {"cancelled_s": None}),
    ],
)
def test_an_impossible_record_has_a_violation(record, changes):
    assert len(list(violations(replace(record, **changes)))) >= 1


def test_a_violation_fails_the_run():
    run_log = RunLog()
    run_log.add(replace(GOOD, done_s=10.9))
    result = summary(run_log.records, run_log.faults)
    assert not result["passed"]
    assert "comes before" in result["faults"][0]


def test_records_are_read_back_unchanged(tmp_path):
    run_log = RunLog(tmp_path / "new" / "requests.jsonl")
    for record in (GOOD, CANCELLED, SILENT):
        run_log.add(record)
    assert read_records(tmp_path / "new" / "requests.jsonl") == [GOOD, CANCELLED, SILENT]


def test_nan_is_not_written():
    with pytest.raises(ValueError, match="not JSON compliant"):
        as_line(replace(GOOD, done_s=float("nan")))


def test_first_audio_counts_from_the_due_time():
    assert replace(GOOD, intended_s=9.0).ttfa_s == pytest.approx(1.2)
