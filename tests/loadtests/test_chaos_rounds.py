"""A round of chaos on the real interface before a fake engine: a good server breaks no rule, and
each wrong one is found."""

from contextlib import contextmanager
from dataclasses import replace

from app.core import Health, HealthStatus, StageStats
from loadtests import chaos_callers, chaos_rounds
from loadtests.bench import Bench
from loadtests.chaos_callers import Callers
from loadtests.chaos_rounds import run_round
from loadtests.chaos_verdict import row_of
from loadtests.faults import Hogs
from loadtests.run_log import RunLog
from loadtests.victim import Victim
from tests.support.api_clients import serving
from tests.support.live_synthesizer import LiveSynthesizer
from tests.support.loadtests.benches import QUICK

FREE = StageStats(live=0, waiting=0, slots_free=4, slots_total=4)
NOBODY = Hogs(num=0, lasts_s=0.5, bound_s=5.0)


@contextmanager
def chaos_on(monkeypatch, stage=FREE, **changed):
    """A victim without processes, and callers that know its sounds."""
    for name, seconds in (("BEFORE_S", 0.5), ("AFTER_S", 0.5), ("IDLE_WITHIN_S", 0.3)):
        monkeypatch.setattr(chaos_rounds, name, seconds)
    monkeypatch.setattr(chaos_rounds, "RATE_PER_S", 8.0)
    monkeypatch.setattr(chaos_callers, "STOPPED_WITHIN_S", 0.1)
    synthesizer = LiveSynthesizer()

    async def health():
        return Health(HealthStatus.OK, {"t3": stage})

    synthesizer.health = health
    with serving(synthesizer, **changed) as url:
        bench = Bench(url, replace(QUICK, ack_within_s=15.0), RunLog())
        callers = Callers(bench, seed=1)
        callers.learn()
        yield Victim(bench, "app", list, {}), callers, synthesizer
        bench.http.close()


def rules_of(victim, callers):
    return row_of(run_round(victim, NOBODY, callers, "1 round 0"))


def test_a_good_server_breaks_no_rule(monkeypatch):
    with chaos_on(monkeypatch) as (victim, callers, _):
        row = rules_of(victim, callers)
    assert row.broken_rules == ()
    assert row.sessions == row.ended_well > 4
    assert victim.bench.run_log.faults == []


def test_a_slot_that_is_held_is_found(monkeypatch):
    with chaos_on(monkeypatch, replace(FREE, slots_free=3)) as (victim, callers, _):
        row = rules_of(victim, callers)
    assert row.broken_rules == ("left behind: t3: 1 of 4 slots",)


def test_other_sound_is_found(monkeypatch):
    with chaos_on(monkeypatch) as (victim, callers, synthesizer):
        synthesizer.num_chunks = 2
        row = rules_of(victim, callers)
    assert len(row.broken_rules) > 2
    assert all(rule.startswith("other sound: ") for rule in row.broken_rules)


def test_a_server_that_never_speaks_again_is_found(monkeypatch):
    with chaos_on(monkeypatch) as (victim, callers, synthesizer):
        monkeypatch.setattr(chaos_rounds, "PATIENCE", 0.1)

        async def health():
            return Health(HealthStatus.FAILED, {"t3": FREE})

        synthesizer.health = health
        row = rules_of(victim, callers)
    assert "service came back never; the bound is 5 s" in row.broken_rules
