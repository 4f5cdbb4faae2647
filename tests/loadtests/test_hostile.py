"""Each hostile request on a server that refuses with a code, and on one that does not."""

import random
import time

import pytest

from loadtests.enrolment import add_voice, delete_voice
from loadtests.hostile import ATTACKS
from loadtests.records import Outcome, violations
from tests.support.loadtests.benches import IMPATIENT, bench_on

CONNECTIONS = ("slow reader", "half closed", "body that stops")
MALFORMED = [attack for attack in ATTACKS if attack.name not in CONNECTIONS]


def test_a_good_server_refuses_each_request_with_a_code():
    with bench_on() as (bench, _):
        records = [attack.launch(bench, "hostile", time.monotonic()) for attack in MALFORMED]
    assert {record.detail for record in records if record.outcome is not Outcome.REFUSED} == set()
    assert [line for record in records for line in violations(record)] == []


@pytest.mark.parametrize("name", CONNECTIONS)
def test_a_good_server_survives_each_bad_connection(name):
    attack = next(attack for attack in ATTACKS if attack.name == name)
    with bench_on(audio_s=2.0) as (bench, _):
        assert attack.launch(bench, "hostile", time.monotonic()).outcome is Outcome.LEFT


def test_a_refusal_without_a_code_is_a_fault():
    with bench_on(names_refusals=False) as (bench, _):
        records = [attack.launch(bench, "hostile", time.monotonic()) for attack in MALFORMED]
    assert {record.outcome for record in records} == {Outcome.FAILED}


def test_a_500_is_a_fault():
    attack = next(attack for attack in ATTACKS if attack.name == "unknown voice")
    with bench_on(IMPATIENT, crashes=True) as (bench, _):
        assert attack.launch(bench, "hostile", time.monotonic()).outcome is Outcome.FAILED


def test_a_voice_is_made_and_deleted():
    with bench_on() as (bench, server):
        voice = add_voice(bench, "enrol", random.Random(1), time.monotonic())
        assert voice in server.voices
        delete_voice(bench, "enrol", voice)
    assert server.voices == ["ada"]
    assert [record.outcome for record in bench.run_log.records] == [Outcome.DONE] * 2


def test_a_server_without_uploads_has_no_fault():
    with bench_on(has_uploads=False) as (bench, _):
        assert add_voice(bench, "enrol", random.Random(1), time.monotonic()) is None
    assert [record.outcome for record in bench.run_log.records] == [Outcome.REFUSED]


def test_a_voice_that_cannot_be_deleted_is_a_fault():
    with bench_on() as (bench, _):
        delete_voice(bench, "enrol", "nobody")
    assert bench.run_log.records[0].outcome is Outcome.FAILED
