"""Which replicas count, and what they told, on a simulated clock."""

import pytest

from app.core import HealthStatus, SessionKey, StageStats
from app.sessions.model_state import ModelState
from app.sessions.replica_table import (
    FOLLOWER_LOST_S,
    HEARTBEAT_LOST_S,
    LATE_S,
    Heartbeat,
    ReplicaTable,
    StageSlots,
)
from app.sessions.table import ReplicaId

A, B = SessionKey("default", "a"), SessionKey("default", "b")
T3, VOCODER, INGRESS = (ReplicaId(stage, "r") for stage in ("t3", "vocoder", "ingress"))
NEEDED = ("t3", "vocoder")


@pytest.fixture
def replicas(clock):
    return ReplicaTable(clock)


def test_a_follower_is_lost_a_while_after_its_last_poll(replicas, clock):
    replicas.note_poll(T3)
    replicas.note_poll(VOCODER)
    assert replicas.followers("t3") == [T3]
    clock.now += FOLLOWER_LOST_S + 1
    replicas.note_poll(VOCODER)
    assert replicas.followers("t3") == []
    replicas.forget_lost()
    assert replicas.num_followers == 1


def test_a_replica_is_lost_a_while_after_its_last_heartbeat(replicas, clock):
    replicas.note_heartbeat(T3, Heartbeat(StageStats()))
    clock.now += HEARTBEAT_LOST_S + 1
    replicas.note_heartbeat(VOCODER, Heartbeat(StageStats()))
    replicas.forget_lost()
    assert replicas.stages() == {"vocoder"}
    assert replicas.heartbeats() == {VOCODER: Heartbeat(StageStats())}


def test_a_stage_hears_what_its_consumers_want(replicas):
    other = ReplicaId("vocoder", "other")
    replicas.note_heartbeat(VOCODER, Heartbeat(StageStats(), sessions=frozenset({A})))
    replicas.note_heartbeat(other, Heartbeat(StageStats(), sessions=frozenset({B})))
    replicas.note_heartbeat(INGRESS, Heartbeat(StageStats(), sessions=frozenset({B})))
    assert replicas.wanted_from("t3") == {A, B}
    assert replicas.wanted_from("vocoder") == {B}
    assert replicas.wanted_from("ingress") == frozenset()


def test_the_slots_of_a_stage_are_summed_and_as_old_as_the_oldest_heartbeat(replicas, clock):
    assert replicas.slots("vocoder") is None
    stats = StageStats(slots_free=1, slots_total=4)
    replicas.note_heartbeat(VOCODER, Heartbeat(stats))
    clock.now += 1
    replicas.note_heartbeat(ReplicaId("vocoder", "other"), Heartbeat(stats))
    replicas.note_heartbeat(T3, Heartbeat(stats))
    assert replicas.slots("vocoder") == StageSlots(2, 8, told_at=clock.now - 1)


def test_health_sums_the_replicas_of_each_stage(replicas):
    stats = StageStats(1, 2, 3, 6, 0.5)
    for replica in (T3, ReplicaId("t3", "other"), VOCODER):
        replicas.note_heartbeat(replica, Heartbeat(stats))
    health = replicas.health(NEEDED, ModelState.LOADED)
    assert health.status is HealthStatus.OK
    assert health.stages == {"t3": StageStats(2, 4, 6, 12, 0.5), "vocoder": stats}


@pytest.mark.parametrize(
    ("t3_s", "vocoder_s", "status"),
    [
        (0.0, LATE_S, HealthStatus.OK),
        (0.5, LATE_S + 0.1, HealthStatus.LATE),
        (43.0, 0.0, HealthStatus.LATE),
    ],
)
def test_health_is_late_where_a_stage_is_later_than_the_bound(replicas, t3_s, vocoder_s, status):
    replicas.note_heartbeat(T3, Heartbeat(StageStats(late_s=t3_s)))
    replicas.note_heartbeat(ReplicaId("t3", "other"), Heartbeat(StageStats()))
    replicas.note_heartbeat(VOCODER, Heartbeat(StageStats(late_s=vocoder_s)))
    health = replicas.health(NEEDED, ModelState.LOADED)
    assert (health.status, health.late_s) == (status, max(t3_s, vocoder_s))


def test_a_failure_hides_no_lateness_and_lateness_no_failure(replicas):
    replicas.note_heartbeat(T3, Heartbeat(StageStats(late_s=43.0), failed=True))
    replicas.note_heartbeat(VOCODER, Heartbeat(StageStats()))
    health = replicas.health(NEEDED, ModelState.LOADED)
    assert (health.status, health.late_s) == (HealthStatus.FAILED, 43.0)


@pytest.mark.parametrize("model", [ModelState.UNLOADING, ModelState.UNLOADED])
def test_health_says_that_the_model_is_not_loaded(replicas, model):
    assert replicas.health(NEEDED, model).status is HealthStatus.UNLOADED


def test_health_is_starting_until_every_needed_stage_is_there(replicas):
    replicas.note_heartbeat(T3, Heartbeat(StageStats()))
    assert replicas.health(NEEDED, ModelState.LOADED).status is HealthStatus.STARTING


def test_health_is_failed_where_one_replica_is(replicas):
    replicas.note_heartbeat(T3, Heartbeat(StageStats(), failed=True))
    replicas.note_heartbeat(VOCODER, Heartbeat(StageStats()))
    assert replicas.health(NEEDED, ModelState.UNLOADED).status is HealthStatus.FAILED
