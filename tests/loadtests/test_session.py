"""One session against a server that is good, and against each fault that must be seen."""

import threading
from dataclasses import replace

import httpx
import pytest

from loadtests.bench import Settings
from loadtests.records import Kind, Outcome, violations
from loadtests.session import Order, Stop, checked, speak
from loadtests.shapes import open_loop
from loadtests.summary import summary
from tests.support.loadtests.benches import GOOD, QUICK, SOON_GIVEN_UP, bench_on, heard

BARGE_IN = Stop("call", 0.0, "first_audio")


@pytest.mark.parametrize("kind", [Kind.STREAM, Kind.TURN, Kind.WHOLE])
def test_a_good_server_has_no_fault(kind):
    with bench_on() as (bench, _):
        record = heard(bench, kind)
    assert (record.outcome, record.status, record.finish) == (Outcome.HEARD, 200, "stop")
    assert record.audio_s == pytest.approx(0.6)
    assert (record.num_stalls, list(violations(record))) == (0, [])
    assert bench.run_log.records == [record]
    assert summary(bench.run_log.records, bench.run_log.faults)["passed"]


def test_a_late_server_is_seen_as_late():
    with bench_on(first_audio_s=0.4) as (bench, _):
        assert heard(bench).ttfa_s > 0.4
    with bench_on(first_audio_s=0.0) as (bench, _):
        assert heard(bench).ttfa_s > 0


def test_a_stall_is_counted_once():
    with bench_on(stall_s=0.5) as (bench, _):
        record = heard(bench)
    assert record.num_stalls == 1
    assert record.longest_stall_ms > 100
    assert record.outcome is Outcome.HEARD


def test_a_prebuffer_hides_a_stall():
    settings = replace(QUICK, prebuffer_s=0.6)
    with bench_on(settings, stall_s=0.5) as (bench, _):
        assert heard(bench).num_stalls == 0


@pytest.mark.parametrize("kind", [Kind.STREAM, Kind.WHOLE])
def test_a_body_that_ends_well_but_too_soon_is_truncated(kind):
    with bench_on(truncates=True) as (bench, _):
        record = heard(bench, kind)
    assert record.outcome is Outcome.TRUNCATED
    assert not summary(bench.run_log.records, [])["passed"]


def test_a_body_that_breaks_off_is_broken():
    with bench_on(breaks_off=True) as (bench, _):
        record = heard(bench)
    assert record.outcome is Outcome.BROKEN
    assert record.num_bytes > 0


def test_an_end_that_the_server_calls_an_error_is_broken_however_it_looks():
    assert checked(replace(GOOD, finish="error"), 2.0).outcome is Outcome.BROKEN
    assert checked(GOOD, 2.0).outcome is Outcome.HEARD


def test_a_full_server_refuses_and_that_is_no_fault():
    with bench_on(is_full=True) as (bench, _):
        record = heard(bench)
    assert (record.outcome, record.detail) == (Outcome.REFUSED, "overloaded")
    assert summary([record], [])["outcomes"] == {"refused": 1}
    assert summary([record], [])["passed"]


def test_a_server_that_crashes_has_failed():
    with bench_on(crashes=True) as (bench, _):
        assert heard(bench).outcome is Outcome.FAILED


def test_a_server_that_says_nothing_leaves_it_unanswered():
    with bench_on(SOON_GIVEN_UP, first_audio_s=30.0) as (bench, _):
        assert heard(bench).outcome is Outcome.UNANSWERED


def test_a_server_that_is_gone_leaves_it_unanswered():
    with bench_on() as (bench, _):
        pass
    bench.http = httpx.Client(base_url=bench.url)
    record = heard(bench)
    assert (record.outcome, record.status) == (Outcome.UNANSWERED, None)


def test_a_barge_in_is_acknowledged_and_ends_the_stream():
    with bench_on(num_held=1) as (bench, _):
        record = heard(bench, Kind.TURN, BARGE_IN)
    assert (record.outcome, record.ack_state) == (Outcome.CANCELLED, "stopped")
    assert record.ack_ms > 0
    assert record.finish == "cancelled"
    assert list(violations(record)) == []


def test_a_cancel_before_the_first_sound_gives_an_empty_answer():
    with bench_on(first_audio_s=30.0) as (bench, _):
        record = heard(bench, Kind.STORM, Stop("call", 0.05))
    assert (record.outcome, record.status) == (Outcome.CANCELLED, 204)


def test_a_cancel_that_is_never_acknowledged_is_a_fault():
    with bench_on(SOON_GIVEN_UP, acknowledges=False, num_held=1) as (bench, _):
        record = heard(bench, Kind.TURN, BARGE_IN)
    assert record.outcome is Outcome.UNACKNOWLEDGED
    assert record.acknowledged_s is None


def test_sound_that_goes_on_after_an_acknowledgement_is_a_fault():
    with bench_on(obeys=False, stall_s=1.5) as (bench, _):
        record = heard(bench, Kind.TURN, BARGE_IN)
    assert record.outcome is Outcome.UNSTOPPED
    assert record.bytes_after_ack > 0


def test_a_caller_who_hangs_up_has_left():
    with bench_on(num_held=1) as (bench, _):
        record = heard(bench, Kind.STORM, Stop("hang_up", 0.2))
    assert record.outcome is Outcome.LEFT
    assert not record.outcome.is_fault


def test_a_session_that_outlives_the_run_is_cut():
    with bench_on(num_held=1) as (bench, _), bench.lasting(0.1, 0.1):
        record = heard(bench)
    assert record.outcome is Outcome.CUT
    assert record.acknowledged_s is not None


def test_queueing_shows_from_the_intended_time_and_hides_from_the_sent_time():
    """One connection to a server that takes 0.2 s for each: the sixth waits for five."""
    with bench_on(Settings(settle_s=0.0), first_audio_s=0.2, is_serial=True) as (bench, _):

        def one(number, intended_s):
            speak(bench, Order(Kind.STREAM, f"arrival {number}", "Hello.", intended_s))

        open_loop([0.0] * 6, one, most_open=1)
    records = bench.run_log.records
    slowest = max(records, key=lambda record: record.ttfa_s)
    assert slowest.ttfa_s > 6 * 0.2
    assert slowest.sent_s - slowest.intended_s > 5 * 0.2  # what the sent time would have hidden
    told = summary(records, bench.run_log.faults)
    assert told["ttfa_ms"]["p95"] - told["ttfa_from_sent_ms"]["p95"] > 600
    assert told["send_lag_ms"]["p95"] > 1000


def test_sessions_on_one_bench_do_not_disturb_each_other():
    with bench_on(num_held=1) as (bench, _):
        stopped = threading.Thread(target=heard, args=(bench, Kind.TURN, BARGE_IN))
        stopped.start()
        stopped.join()
        others = [heard(bench) for _ in range(3)]
    assert [record.outcome for record in others] == [Outcome.HEARD] * 3
    assert len(bench.run_log.records) == 4
