"""The actions of each kind of caller, without Locust."""

import time
from dataclasses import replace

from loadtests import scenarios
from loadtests.records import Kind, Outcome
from loadtests.scenarios import new_caller
from tests.support.loadtests.benches import GOOD, QUICK, bench_on


def test_a_conversation_listens_to_the_end_and_thinks():
    settings = replace(QUICK, think_s=0.2)
    with bench_on(settings, audio_s=1.0) as (bench, _):
        caller = new_caller(bench, "conversation")
        for _ in range(2):
            caller.act(scenarios.take_a_turn)
    first, second = bench.run_log.records
    played_out_s = first.first_audio_s + first.audio_s
    assert second.intended_s >= played_out_s + 0.5 * settings.think_s
    assert second.sent_s >= second.intended_s


def test_one_turn_in_twenty_is_a_barge_in(monkeypatch):
    requests = []

    def speak(bench, request):
        requests.append(request)
        return GOOD, 0.0

    monkeypatch.setattr(scenarios, "speak", speak)
    with bench_on() as (bench, _):
        caller = new_caller(bench, "conversation")
        for _ in range(1000):
            caller.act(scenarios.take_a_turn)
    stops = [request.stop for request in requests if request.stop is not None]
    assert len(requests) == 1000
    assert 30 <= len(stops) <= 70
    assert {(stop.via, stop.since) for stop in stops} == {("call", "first_audio")}


def test_the_seed_determines_the_texts():
    def lengths(seed):
        with bench_on(replace(QUICK, seed=seed)) as (bench, _):
            caller = new_caller(bench, "whole")
            for _ in range(3):
                caller.act(scenarios.fetch_a_file)
            return [record.num_chars for record in bench.run_log.records]

    assert lengths(1) == lengths(1)
    assert lengths(1) != lengths(2)


def test_a_storm_cancels_and_hangs_up():
    with bench_on(num_held=1000) as (bench, _):
        caller = new_caller(bench, "storm")
        for _ in range(8):
            caller.act(scenarios.storm)
    outcomes = {record.outcome for record in bench.run_log.records}
    assert outcomes == {Outcome.CANCELLED, Outcome.LEFT}


def test_an_enrolment_speaks_and_deletes_its_voice():
    with bench_on() as (bench, server):
        new_caller(bench, "enrol").act(scenarios.enrol)
    assert [record.kind for record in bench.run_log.records] == [
        Kind.ENROL,
        Kind.STREAM,
        Kind.ENROL,
    ]
    assert not [record for record in bench.run_log.records if record.outcome.is_fault]
    assert server.voices == ["ada"]


def test_a_caller_without_uploads_leaves():
    with bench_on(has_uploads=False) as (bench, _):
        caller = new_caller(bench, "enrol")
        caller.act(scenarios.enrol)
    assert caller.leaves


def test_no_request_is_sent_after_the_run():
    with bench_on() as (bench, _), bench.lasting(0.0, 10.0):
        caller = new_caller(bench, "stream")
        caller.due_s = time.monotonic() + 3600
        caller.act(scenarios.hear_a_stream)
    assert bench.run_log.records == []
