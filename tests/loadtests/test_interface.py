"""The callers on the program's own HTTP interface: the fake server of the other tests is right."""

import contextlib
import random
import time
from dataclasses import replace

import pytest

from app.voices.library import VoiceLibrary
from loadtests.bench import Bench
from loadtests.enrolment import add_voice, delete_voice
from loadtests.hostile import ATTACKS
from loadtests.records import Kind, Outcome
from loadtests.run_log import RunLog
from loadtests.session import Stop
from tests.support.api_clients import serving
from tests.support.fakes import FakeSynthesizer
from tests.support.loadtests.benches import QUICK, speak_once


@pytest.fixture
def library(tmp_path):
    return VoiceLibrary(str(tmp_path / "library"))


@contextlib.contextmanager
def bench_before(synthesizer, settings=QUICK, **options):
    with serving(synthesizer, **options) as url:
        bench = Bench(url, settings, RunLog())
        with contextlib.closing(bench.http):
            yield bench


@pytest.fixture
def bench(library):
    with bench_before(FakeSynthesizer(), library=library) as bench:
        yield bench


@pytest.mark.parametrize("kind", [Kind.STREAM, Kind.WHOLE])
def test_all_sent_audio_is_received(bench, kind):
    record = speak_once(bench, kind)
    assert (record.outcome, record.finish) == (Outcome.HEARD, "stop")
    assert record.audio_s == pytest.approx(0.6)
    assert record.legs_ms["claim"] == pytest.approx(2.0)


class Told(FakeSynthesizer):
    """The first chunk of a stream says how long its player waits."""

    async def _chunks(self, request):
        async for chunk in super()._chunks(request):
            is_told = request.is_paced and not chunk.start
            yield replace(chunk, prebuffer_s=0.12) if is_told else chunk


@pytest.mark.parametrize("start", ["smooth", "soonest"])
def test_a_player_is_told_its_prebuffer(start):
    with bench_before(Told(), settings=replace(QUICK, start=start)) as bench:
        record = speak_once(bench)
        assert speak_once(bench, Kind.WHOLE).outcome is Outcome.HEARD
    assert (record.outcome, record.told_prebuffer_ms) == (Outcome.HEARD, 120)


def test_the_claimed_capacity_is_that_of_the_health():
    synthesizer = FakeSynthesizer()
    with bench_before(synthesizer) as bench:
        assert bench.claimed_capacity() is None
        synthesizer.health_now = replace(synthesizer.health_now, capacity=3)
        assert bench.claimed_capacity() == 3


def test_a_cancel_before_the_first_audio_gives_204():
    with bench_before(FakeSynthesizer(hold_at=0)) as bench:
        record = speak_once(bench, Kind.STORM, Stop("call", 0.05))
    assert (record.outcome, record.status) == (Outcome.CANCELLED, 204)


def test_a_barge_in_ends_a_stream():
    with bench_before(FakeSynthesizer(hold_at=2)) as bench:
        record = speak_once(bench, Kind.TURN, Stop("call", 0.05, "first_audio"))
    assert (record.outcome, record.ack_state) == (Outcome.CANCELLED, "stopped")


def test_a_closed_connection_ends_the_session():
    synthesizer = FakeSynthesizer(hold_at=2)
    with bench_before(synthesizer) as bench:
        record = speak_once(bench, Kind.STORM, Stop("hang_up", 0.2))
        assert synthesizer.closed.wait(20)
    assert record.outcome is Outcome.LEFT


def test_an_error_after_the_first_audio_is_broken():
    with bench_before(FakeSynthesizer(fail_at=2, error=RuntimeError("broken"))) as bench:
        assert speak_once(bench).outcome is Outcome.BROKEN


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.name)
def test_a_hostile_request_is_refused_with_a_code_or_survived(bench, attack):
    record = attack.launch(bench, "hostile", time.monotonic())
    assert record.outcome in (Outcome.REFUSED, Outcome.LEFT), record
    assert speak_once(bench).outcome is Outcome.HEARD


def test_a_computed_voice_is_made_and_deleted(bench, library):
    voice = add_voice(bench, "enrol", random.Random(1), time.monotonic())
    assert [made.id for made in library.all("default")] == [voice]
    delete_voice(bench, "enrol", voice)
    assert [record.outcome for record in bench.run_log.records] == [Outcome.DONE] * 2
