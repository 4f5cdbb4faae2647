"""One session on a good server, and on a server with each fault that must be seen."""

import threading
from dataclasses import replace

import httpx
import pytest

from loadtests.bench import Settings
from loadtests.records import Kind, Outcome, violations
from loadtests.session import PlannedRequest, Stop, speak
from loadtests.shapes import open_loop
from loadtests.summary import summary
from tests.support.loadtests.benches import IMPATIENT, QUICK, bench_on, speak_once

BARGE_IN = Stop("call", 0.0, "first_audio")


@pytest.mark.parametrize("kind", [Kind.STREAM, Kind.TURN, Kind.WHOLE])
def test_a_good_server_has_no_fault(kind):
    with bench_on() as (bench, _):
        record = speak_once(bench, kind)
    assert (record.outcome, record.status, record.finish) == (Outcome.HEARD, 200, "stop")
    assert record.audio_s == pytest.approx(0.6)
    assert (record.num_stalls, list(violations(record))) == (0, [])
    assert bench.run_log.records == [record]
    assert summary(bench.run_log.records, bench.run_log.faults)["passed"]


def test_a_late_first_audio_is_measured():
    with bench_on(first_audio_s=0.4) as (bench, _):
        assert speak_once(bench).ttfa_s > 0.4
    with bench_on(first_audio_s=0.0) as (bench, _):
        assert speak_once(bench).ttfa_s > 0


def test_a_stall_is_counted_once():
    with bench_on(stall_s=0.5) as (bench, _):
        record = speak_once(bench)
    assert record.num_stalls == 1
    assert record.longest_stall_ms > 100
    assert record.outcome is Outcome.HEARD


def test_a_prebuffer_hides_a_stall():
    settings = replace(QUICK, prebuffer_s=0.6)
    with bench_on(settings, stall_s=0.5) as (bench, _):
        assert speak_once(bench).num_stalls == 0


def test_a_player_waits_for_what_the_server_tells():
    with bench_on(stall_s=0.3, told_s=0.4) as (bench, _):
        record = speak_once(bench)
    assert (record.num_stalls, record.told_prebuffer_ms) == (0, 400)
    assert record.needed_prebuffer_ms > 100


def test_a_server_that_tells_too_little_has_a_stall():
    with bench_on(stall_s=0.3, told_s=0.1) as (bench, _):
        assert speak_once(bench).num_stalls == 1


def test_a_whole_file_needs_no_prebuffer():
    with bench_on() as (bench, _):
        assert speak_once(bench, Kind.WHOLE).needed_prebuffer_ms is None


@pytest.mark.parametrize("start", [None, "smooth", "soonest"])
def test_a_stream_chooses_its_start(start):
    with bench_on(replace(QUICK, start=start)) as (bench, server):
        speak_once(bench)
        speak_once(bench, Kind.WHOLE)
    assert server.starts == [start, None]  # a whole file has no start


@pytest.mark.parametrize("kind", [Kind.STREAM, Kind.WHOLE])
def test_a_body_that_lacks_audio_is_truncated(kind):
    with bench_on(truncates=True) as (bench, _):
        record = speak_once(bench, kind)
    assert record.outcome is Outcome.TRUNCATED
    assert not summary(bench.run_log.records, [])["passed"]


def test_a_body_that_breaks_off_is_broken():
    with bench_on(breaks_off=True) as (bench, _):
        record = speak_once(bench)
    assert record.outcome is Outcome.BROKEN
    assert record.num_bytes > 0


def test_an_overloaded_refusal_is_no_fault():
    with bench_on(is_full=True) as (bench, _):
        record = speak_once(bench)
    assert (record.outcome, record.detail) == (Outcome.REFUSED, "overloaded")
    assert summary([record], [])["outcomes"] == {"refused": 1}
    assert summary([record], [])["passed"]


def test_a_500_is_a_fault():
    with bench_on(crashes=True) as (bench, _):
        assert speak_once(bench).outcome is Outcome.FAILED


def test_a_request_without_an_answer_is_unanswered():
    with bench_on(IMPATIENT, first_audio_s=30.0) as (bench, _):
        assert speak_once(bench).outcome is Outcome.UNANSWERED


def test_a_refused_connection_is_unanswered():
    with bench_on() as (bench, _):
        pass
    bench.http = httpx.Client(base_url=bench.url)
    record = speak_once(bench)
    assert (record.outcome, record.status) == (Outcome.UNANSWERED, None)


def test_a_barge_in_is_acknowledged_and_ends_the_stream():
    with bench_on(num_held=1) as (bench, _):
        record = speak_once(bench, Kind.TURN, BARGE_IN)
    assert (record.outcome, record.ack_state) == (Outcome.CANCELLED, "stopped")
    assert record.ack_ms > 0
    assert record.finish == "cancelled"
    assert list(violations(record)) == []


def test_a_cancel_before_the_first_audio_gives_204():
    with bench_on(first_audio_s=30.0) as (bench, _):
        record = speak_once(bench, Kind.STORM, Stop("call", 0.05))
    assert (record.outcome, record.status) == (Outcome.CANCELLED, 204)


def test_a_cancel_without_an_acknowledgement_is_a_fault():
    with bench_on(IMPATIENT, acknowledges=False, num_held=1) as (bench, _):
        record = speak_once(bench, Kind.TURN, BARGE_IN)
    assert record.outcome is Outcome.UNACKNOWLEDGED
    assert record.acknowledged_s is None


def test_audio_after_an_acknowledgement_is_a_fault():
    with bench_on(obeys=False, stall_s=1.5) as (bench, _):
        record = speak_once(bench, Kind.TURN, BARGE_IN)
    assert record.outcome is Outcome.UNSTOPPED
    assert record.bytes_after_ack > 0


def test_a_caller_that_closes_the_connection_has_left():
    with bench_on(num_held=1) as (bench, _):
        record = speak_once(bench, Kind.STORM, Stop("hang_up", 0.2))
    assert record.outcome is Outcome.LEFT
    assert not record.outcome.is_fault


def test_a_session_that_outlasts_the_run_is_cut():
    with bench_on(num_held=1) as (bench, _), bench.lasting(0.1, 0.1):
        record = speak_once(bench)
    assert record.outcome is Outcome.CUT
    assert record.acknowledged_s is not None


def test_a_silence_that_lasts_until_the_run_is_over_is_a_stall():
    with bench_on(num_held=1) as (bench, _), bench.lasting(0.5, 0.1):
        record = speak_once(bench)
    assert (record.outcome, record.num_stalls) == (Outcome.CUT, 1)


def test_queueing_counts_from_the_due_time():
    """One request at a time on a server that takes 0.2 s for each: the sixth waits for five."""
    with bench_on(Settings(settle_s=0.0), first_audio_s=0.2, is_serial=True) as (bench, _):

        def one(number, intended_s):
            speak(bench, PlannedRequest(Kind.STREAM, f"arrival {number}", "Hello.", intended_s))

        open_loop([0.0] * 6, one, most_open=1)
    records = bench.run_log.records
    slowest = max(records, key=lambda record: record.ttfa_s)
    assert slowest.ttfa_s > 6 * 0.2
    assert (
        slowest.sent_s - slowest.intended_s > 5 * 0.2
    )  # the time from the sending would not show it
    figures = summary(records, bench.run_log.faults)
    assert figures["ttfa_ms"]["p95"] - figures["ttfa_from_sent_ms"]["p95"] > 600
    assert figures["send_lag_ms"]["p95"] > 1000


def test_a_stopped_session_does_not_disturb_others():
    with bench_on(num_held=1) as (bench, _):
        stopped = threading.Thread(target=speak_once, args=(bench, Kind.TURN, BARGE_IN))
        stopped.start()
        stopped.join(20)
        assert not stopped.is_alive(), "the session was not stopped"
        others = [speak_once(bench) for _ in range(3)]
    assert [record.outcome for record in others] == [Outcome.HEARD] * 3
    assert len(bench.run_log.records) == 4
