"""What each kind of caller does, without Locust."""

import time
from dataclasses import replace

from loadtests import scenarios
from loadtests.records import Kind, Outcome
from loadtests.scenarios import caller
from tests.support.loadtests.benches import GOOD, QUICK, bench_on


def test_a_conversation_hears_the_answer_out_before_it_thinks_and_asks_again():
    settings = replace(QUICK, think_s=0.2)
    with bench_on(settings, audio_s=1.0) as (bench, _):
        who = caller(bench, "conversation")
        for _ in range(2):
            who.act(scenarios.take_a_turn)
    first, second = bench.run_log.records
    played_out_s = first.first_audio_s + first.audio_s
    assert second.intended_s >= played_out_s + 0.5 * settings.think_s
    assert second.sent_s >= second.intended_s


def test_one_turn_in_twenty_is_barged_into(monkeypatch):
    orders = []

    def speak(bench, order):
        orders.append(order)
        return GOOD, 0.0

    monkeypatch.setattr(scenarios, "speak", speak)
    with bench_on() as (bench, _):
        who = caller(bench, "conversation")
        for _ in range(1000):
            who.act(scenarios.take_a_turn)
    stops = [order.stop for order in orders if order.stop is not None]
    assert len(orders) == 1000
    assert 30 <= len(stops) <= 70
    assert {(stop.via, stop.since) for stop in stops} == {("call", "first_audio")}


def test_callers_of_one_seed_ask_the_same_and_those_of_another_do_not():
    def asked(seed):
        with bench_on(replace(QUICK, seed=seed)) as (bench, _):
            who = caller(bench, "whole")
            for _ in range(3):
                who.act(scenarios.fetch_a_file)
            return [record.num_chars for record in bench.run_log.records]

    assert asked(1) == asked(1)
    assert asked(1) != asked(2)


def test_a_storm_stops_both_ways():
    with bench_on(num_held=1000) as (bench, _):
        who = caller(bench, "storm")
        for _ in range(8):
            who.act(scenarios.storm)
    outcomes = {record.outcome for record in bench.run_log.records}
    assert outcomes == {Outcome.CANCELLED, Outcome.LEFT}


def test_a_voice_is_spoken_with_and_gone_afterwards():
    with bench_on() as (bench, server):
        caller(bench, "enrol").act(scenarios.enrol)
    assert [record.kind for record in bench.run_log.records] == [
        Kind.ENROL,
        Kind.STREAM,
        Kind.ENROL,
    ]
    assert not [record for record in bench.run_log.records if record.outcome.is_fault]
    assert server.voices == ["ada"]


def test_who_may_make_no_voice_leaves():
    with bench_on(has_uploads=False) as (bench, _):
        who = caller(bench, "enrol")
        who.act(scenarios.enrol)
    assert who.leaves


def test_nothing_is_asked_for_once_the_run_is_over():
    with bench_on() as (bench, _), bench.lasting(0.0, 10.0):
        who = caller(bench, "stream")
        who.due_s = time.monotonic() + 3600
        who.act(scenarios.hear_a_stream)
    assert bench.run_log.records == []
