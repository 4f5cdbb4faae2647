"""Claims, cancels and their confirmations, with the waits between them."""

import asyncio
import math

from app.barge_in import BargeInTimes
from app.core import CancelState, FinishReason, HealthStatus, Mark, SessionKey, StageStats
from app.sessions.registry import Registry
from app.sessions.replica_table import HEARTBEAT_LOST_S, Heartbeat
from app.sessions.smooth_admission import Work
from app.sessions.table import Claim, Confirmation, ReplicaId, SessionEnd
from app.sessions.timeline import all_legs
from tests.support.clock import Clock

A, B = SessionKey("default", "a"), SessionKey("default", "b")
T3 = ReplicaId("t3", "replica-1")


async def test_a_cancel_is_acknowledged_when_ingress_and_t3_have_confirmed():
    registry = Registry()
    await registry.claim(A)
    batch = await registry.poll(T3, "", 0)
    following = asyncio.ensure_future(registry.poll(T3, batch.epoch, batch.cursor))
    cancelling = asyncio.ensure_future(registry.cancel(A, wait_s=60))
    assert (await following).cancelled == (A,)
    await registry.finish(A, SessionEnd(FinishReason.CANCELLED, 0.4, 12))
    await asyncio.sleep(0)
    assert not cancelling.done()  # T3 has not confirmed
    await registry.confirm(T3, A, Confirmation(30))
    ack = await cancelling
    assert ack.state is CancelState.STOPPED
    assert (ack.audio_sent_ms, ack.tokens_generated, ack.tokens_discarded) == (400.0, 30, 20)


async def test_the_stop_time_stays_the_same_when_the_cancel_is_repeated(clock):
    registry = Registry(now=clock)
    await registry.claim(A)
    await registry.cancel(A, wait_s=0)
    clock.now += 0.02
    await registry.finish(A, SessionEnd(FinishReason.CANCELLED, 0.4, 12))
    clock.now += 100
    again = await registry.cancel(A)
    assert (again.state, again.stop_ms) == (CancelState.ALREADY_DONE, 20)


async def test_a_cancel_without_confirmation_answers_stopping():
    registry = Registry()
    await registry.claim(A)
    await registry.poll(T3, "", 0)
    ack = await registry.cancel(A, wait_s=0.01)
    assert ack.state is CancelState.STOPPING


async def test_no_token_counts_as_made_in_vain_before_the_ingress_has_told_what_it_sent():
    registry = Registry()
    await registry.claim(A)
    await registry.poll(T3, "", 0)
    cancelling = asyncio.ensure_future(registry.cancel(A, wait_s=0.01))
    await asyncio.sleep(0)
    await registry.confirm(T3, A, Confirmation(30))
    ack = await cancelling
    told = ack.state, ack.tokens_generated, ack.tokens_discarded
    assert told == (CancelState.STOPPING, 30, 0)
    await registry.finish(A, SessionEnd(FinishReason.CANCELLED, 0.4, 12))
    assert (await registry.cancel(A)).tokens_discarded == 20


async def test_a_cancel_waits_for_no_replica_that_stopped_polling():
    clock = Clock()
    registry = Registry(now=clock)
    await registry.poll(T3, "", 0)
    clock.now += 31
    await registry.claim(A)
    await registry.finish(A, SessionEnd(FinishReason.CANCELLED, 0, 0))
    assert (await registry.cancel(A)).state is CancelState.ALREADY_DONE


async def test_a_cancel_that_comes_while_the_end_is_told_says_that_it_came_too_late():
    """Else a caller believes that the rest of a context was stopped too."""
    registry = Registry()
    await registry.claim(A)
    cancelling = asyncio.ensure_future(registry.cancel(A, wait_s=60))
    await asyncio.sleep(0)
    await registry.finish(A, SessionEnd(FinishReason.STOP, 1.0, 25))
    assert (await cancelling).state is CancelState.ALREADY_DONE


async def test_a_cancel_of_an_unknown_id_is_answered_at_once_and_logged():
    registry = Registry()
    batch = await registry.poll(T3, "", 0)
    ack = await registry.cancel(A, wait_s=60)
    assert ack.state is CancelState.UNKNOWN
    assert (await registry.poll(T3, batch.epoch, batch.cursor)).cancelled == (A,)


async def test_a_poll_without_a_new_cancel_returns_empty():
    registry = Registry()
    batch = await registry.poll(T3, "", 0)
    assert await registry.poll(T3, batch.epoch, batch.cursor, timeout_s=0.01) == batch


async def test_a_replica_of_another_epoch_gets_every_logged_cancel():
    registry = Registry()
    await registry.cancel(A)
    batch = await registry.poll(T3, "an-earlier-epoch", 999)
    assert batch.cancelled == (A,)
    assert (await registry.poll(T3, batch.epoch, batch.cursor, timeout_s=0.01)).cancelled == ()


async def test_t3_hears_of_a_cancel_before_replicas_that_no_cancel_waits_for():
    registry = Registry()
    told = []

    async def follow(stage: str) -> None:
        batch = await registry.poll(ReplicaId(stage, "1"), "", 0)
        await registry.poll(ReplicaId(stage, "1"), batch.epoch, batch.cursor)
        told.append(stage)

    following = [asyncio.ensure_future(follow(stage)) for stage in ("ingress", "vocoder", "t3")]
    for _ in range(5):  # turns of the loop, until all wait
        await asyncio.sleep(0)
    await registry.cancel(A)
    await asyncio.gather(*following)
    assert told == ["t3", "ingress", "vocoder"]


async def test_a_heartbeat_is_answered_with_the_sessions_that_the_consumers_want(clock):
    registry = Registry(now=clock)
    vocoder = ReplicaId("vocoder", "v")
    await registry.heartbeat(vocoder, Heartbeat(StageStats(), sessions=frozenset({A})))
    assert await registry.heartbeat(T3, Heartbeat(StageStats())) == {A}
    wanted = await registry.heartbeat(vocoder, Heartbeat(StageStats()))
    assert wanted == frozenset()  # no ingress has told of the session
    clock.now += 4  # the vocoder has died
    assert await registry.heartbeat(T3, Heartbeat(StageStats())) == frozenset()


async def test_a_new_registry_is_told_what_an_ingress_remembers():
    registry = Registry()
    b = SessionKey("default", "b")
    batch = await registry.poll(T3, "", 0)
    await registry.restore(live=[A], cancelled=[b])
    assert (await registry.poll(T3, batch.epoch, batch.cursor)).cancelled == (b,)
    assert await registry.claim(A) is Claim.DUPLICATE
    assert await registry.claim(b) is Claim.CANCELLED
    await registry.restore(live=[A], cancelled=[b])  # by another ingress: it is no second cancel
    assert (await registry.poll(T3, "", 0)).cancelled == (b,)


async def test_a_session_that_was_restored_is_cancelled_like_any_other():
    registry = Registry()
    await registry.restore(live=[A], cancelled=[])
    await registry.finish(A, SessionEnd(FinishReason.STOP, 1.0, 25))
    assert (await registry.cancel(A)).state is CancelState.ALREADY_DONE


async def test_a_claim_that_would_wait_too_long_is_refused_and_uses_no_id(clock):
    registry = Registry(queue_s=20.0, now=clock)
    two_slots = Heartbeat(StageStats(slots_free=0, slots_total=2))
    late = SessionKey("default", "late")
    for n, predicted_s in enumerate((60.0, 30.0, 30.0)):
        await registry.heartbeat(ReplicaId("vocoder", "v"), two_slots)
        work = Work(predicted_s)
        assert await registry.claim(SessionKey("default", str(n)), work) is Claim.GRANTED
        clock.now += 10.0  # the third finds both slots taken, the first free of them in 20 s
    await registry.heartbeat(ReplicaId("vocoder", "v"), two_slots)
    assert await registry.claim(late) is Claim.FULL  # the third has yet to begin
    assert await registry.claim(SessionKey("default", "2")) is Claim.DUPLICATE  # as ever
    await registry.finish(SessionKey("default", "0"), SessionEnd(FinishReason.CANCELLED))
    assert await registry.claim(late) is Claim.GRANTED


async def test_a_session_that_is_only_played_holds_no_slot(clock):
    registry = Registry(queue_s=20.0, now=clock)
    idle = Heartbeat(StageStats(slots_free=2, slots_total=2))
    for n in range(10):
        clock.now += 0.1
        await registry.heartbeat(ReplicaId("vocoder", "v"), idle)  # what came before has been made
        assert await registry.claim(SessionKey("default", str(n)), Work(60.0)) is Claim.GRANTED
    assert await registry.claim(SessionKey("default", "at once"), Work(60.0)) is Claim.GRANTED
    assert await registry.claim(SessionKey("default", "too many")) is Claim.FULL


async def test_no_claim_is_refused_for_slots_before_a_vocoder_has_told_its_own():
    registry = Registry(queue_s=0.0)
    for n in range(100):
        assert await registry.claim(SessionKey("default", str(n)), Work(60.0)) is Claim.GRANTED


async def test_no_session_begins_while_the_model_is_unloaded():
    registry = Registry()
    await registry.claim(SessionKey("default", "lives"))
    assert await registry.set_loaded(loaded=False) == 1
    assert await registry.claim(SessionKey("default", "late")) is Claim.UNLOADED
    assert (await registry.health(())).status is HealthStatus.UNLOADED
    await registry.set_loaded(loaded=True)
    assert await registry.claim(SessionKey("default", "late")) is Claim.GRANTED


async def test_no_session_begins_while_draining():
    registry = Registry()
    await registry.claim(A)
    assert (await registry.drain()).num_live == 1
    assert await registry.claim(SessionKey("default", "b")) is Claim.DRAINING
    await registry.finish(A, SessionEnd(FinishReason.STOP))
    assert (await registry.drain()).num_live == 0


async def test_a_session_report_joins_what_all_replicas_told(clock):
    registry = Registry(now=clock)
    await registry.poll(T3, "", 0)
    await registry.claim(A)
    clock.now += 0.1
    await registry.cancel(A, received_s=clock.now - 0.002, wait_s=0)
    stopped = Confirmation(30, 1, {Mark.T3_TOLD: clock.now + 0.003, Mark.T3_STOPPED: clock.now + 1})
    await registry.confirm(T3, A, stopped)
    await registry.confirm(T3, A, Confirmation(0, None, {Mark.T3_STOPPED: clock.now + 9}))
    await registry.confirm(ReplicaId("vocoder", "v"), A, Confirmation(20, 0))
    await registry.finish(A, SessionEnd(FinishReason.CANCELLED, 0.4, 12, {Mark.RECEIVED: 99.9}))
    report = await registry.session(A)
    assert (report.finish, report.audio_sent_ms) == (FinishReason.CANCELLED, 400.0)
    assert (report.tokens_generated, report.tokens_discarded) == (30, 20)
    assert (report.steps_after_abort, report.cells_after_abort) == (1, 0)
    legs = all_legs(report.marks)
    assert (legs["claim"], legs["cancel_to_registry"], legs["cancel_to_t3"]) == (100.0, 2.0, 3.0)
    assert legs["cancel_last_step"] == 997.0  # its first word counts
    assert await registry.session(SessionKey("another", "a")) is None


async def test_a_session_begins_once_an_unloaded_model_is_deployed_again(clock):
    registry = Registry(now=clock)

    async def told_by(*stages):
        clock.now += HEARTBEAT_LOST_S + 1
        for stage in stages:
            await registry.heartbeat(ReplicaId(stage, "r"), Heartbeat(StageStats()))

    await told_by("t3", "vocoder", "ingress")
    await registry.set_loaded(loaded=False)
    await told_by("t3", "vocoder", "ingress")  # they have not ended yet
    assert await registry.claim(A) is Claim.UNLOADED
    await told_by("ingress")
    assert await registry.claim(A) is Claim.UNLOADED
    await told_by("ingress", "t3")
    assert await registry.claim(A) is Claim.UNLOADED
    await told_by("ingress", "t3", "vocoder")
    assert await registry.claim(A) is Claim.GRANTED


async def test_a_live_session_keeps_the_limit_that_it_began_with(clock):
    registry = Registry(live_s=660, now=clock)
    await registry.claim(A)
    await registry.configure(300, 90, math.inf, admits_all=False, since_s=1)
    clock.now += 100
    assert await registry.claim(A) is Claim.DUPLICATE
    await registry.claim(B)
    clock.now += 100
    assert await registry.claim(B) is Claim.GRANTED


async def test_the_times_of_a_barge_in_are_in_the_report_of_the_context_that_was_cut():
    registry = Registry()
    await registry.claim_group(A)
    await registry.finish(A, SessionEnd(FinishReason.CANCELLED))
    times = BargeInTimes("resp_1", {"noticed": 1.0, "listening": 1.01}, {"listening": 10.0})
    await registry.interrupted(A, times)
    await registry.interrupted(B, times)  # of which nothing is known
    assert (await registry.session(A)).barge_in == times
    assert await registry.session(B) is None
