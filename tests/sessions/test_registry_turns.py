"""The registry admits as many streams as its replicas say they bear without a gap."""

import pytest

from app.core import CancelState, FinishReason, HealthStatus, SessionKey, StageStats
from app.sessions.registry import REACHES_VOCODER_S, Registry
from app.sessions.replica_table import Heartbeat
from app.sessions.smooth_admission import Work
from app.sessions.table import Claim, ReplicaId, SessionEnd
from tests.support.clock import Clock

STREAM, FILE = Work(10.0, is_stream=True), Work(10.0)
WAITS = (Claim.BUSY, Claim.NO_TURN)
T3, VOCODER = ReplicaId("t3", "r"), ReplicaId("vocoder", "r")
A, B, C = (SessionKey("default", name) for name in "abc")


async def tell(registry: Registry, bears: float, *working: SessionKey) -> None:
    stats = StageStats(slots_free=16, slots_total=16, bears=bears)
    for replica in (T3, VOCODER):
        await registry.heartbeat(replica, Heartbeat(stats, sessions=frozenset(working)))


async def registry_of(clock: Clock, bears: float, **options) -> Registry:
    registry = Registry(queue_s=25.0, now=clock, **options)
    await tell(registry, bears)
    return registry


async def test_one_stream_more_than_the_capacity_is_busy_until_another_ends(clock):
    registry = await registry_of(clock, bears=2.8)
    assert await registry.claim(A, STREAM) is Claim.GRANTED
    assert await registry.claim(B, STREAM) is Claim.GRANTED
    assert await registry.claim(C, STREAM) is Claim.BUSY
    assert await registry.session(C) is None  # its id is not used
    await registry.finish(A, SessionEnd(FinishReason.STOP))
    assert await registry.claim(C, STREAM) is Claim.GRANTED


async def test_a_session_that_waits_for_its_turn_is_stopped_by_a_cancel(clock):
    registry = await registry_of(clock, bears=1.2)
    assert await registry.claim(A, STREAM) is Claim.GRANTED
    assert await registry.claim(B, STREAM) is Claim.BUSY
    assert (await registry.cancel(B)).state is CancelState.STOPPED
    assert await registry.claim(B, STREAM) is Claim.CANCELLED
    assert (await registry.cancel(C)).state is CancelState.UNKNOWN  # this one never asked


async def test_a_session_that_waits_is_listed_for_its_tenant_alone(clock):
    registry = await registry_of(clock, bears=1.2)
    assert await registry.claim(A, STREAM) is Claim.GRANTED
    assert await registry.claim(B, STREAM) is Claim.BUSY
    assert set(await registry.live("default")) == {A, B}
    assert set(await registry.live(None)) == {A, B}
    assert await registry.live("another") == ()
    await registry.cancel(B)
    assert await registry.live("default") == (A,)


async def test_a_stream_that_is_only_played_makes_room(clock):
    registry = await registry_of(clock, bears=1.2)
    assert await registry.claim(A, STREAM) is Claim.GRANTED
    clock.now += REACHES_VOCODER_S + 0.1
    await tell(registry, 1.2, A)
    assert await registry.claim(B, STREAM) is Claim.BUSY
    await tell(registry, 1.2)  # all of its sound is made
    assert await registry.claim(B, STREAM) is Claim.GRANTED


async def test_a_lone_caller_is_admitted_by_a_machine_slower_than_real_time(clock):
    registry = await registry_of(clock, bears=0.4)
    assert await registry.claim(A, STREAM) is Claim.GRANTED
    assert await registry.claim(B, STREAM) is Claim.BUSY
    health = await registry.health(("t3", "vocoder"))
    assert (health.status, health.capacity, health.realtime) == (HealthStatus.OK, 0, False)


async def test_whole_files_do_not_wait_for_each_other(clock):
    registry = await registry_of(clock, bears=1.2)
    for number in range(5):
        assert await registry.claim(SessionKey("files", str(number)), FILE) is Claim.GRANTED
    assert await registry.claim(A, STREAM) is Claim.GRANTED  # no stream stalls beside it
    assert await registry.claim(B, FILE) in WAITS


async def test_where_all_are_admitted_nobody_waits(clock):
    registry = await registry_of(clock, bears=1.2, admits_all=True)
    for key in (A, B, C):
        assert await registry.claim(key, STREAM) is Claim.GRANTED
    await registry.configure(300, 600, 25.0, admits_all=False, since_s=1)
    assert await registry.claim(SessionKey("default", "d"), STREAM) in WAITS


async def test_before_the_stages_have_told_what_they_bear_nobody_waits(clock):
    registry = Registry(queue_s=25.0, now=clock)
    for key in (A, B, C):
        assert await registry.claim(key, STREAM) is Claim.GRANTED


async def test_a_wait_that_would_take_too_long_is_refused_at_once_and_estimated(clock):
    registry = await registry_of(clock, bears=1.2)
    long = Work(20.0, is_stream=True)
    assert await registry.claim(A, long) is Claim.GRANTED
    assert await registry.claim(B, long) is Claim.BUSY
    assert await registry.wait_s(B) == pytest.approx(20.0)
    for _ in range(3):  # a refused session does not stand in the line of the others
        assert await registry.claim(C, long) is Claim.NO_TURN  # after A and B
    assert await registry.wait_s(C) == pytest.approx(40.0)


async def test_a_cancel_of_a_session_that_waits_reaches_its_next_question(clock):
    registry = await registry_of(clock, bears=1.2)
    await registry.claim(A, STREAM)
    assert await registry.claim(B, STREAM) is Claim.BUSY
    await registry.cancel(B)
    assert await registry.claim(B, STREAM) is Claim.CANCELLED


async def test_health_tells_the_capacity(clock):
    registry = await registry_of(clock, bears=3.0)
    health = await registry.health(("t3", "vocoder"))
    assert (health.capacity, health.realtime) == (2, True)
