"""The bookkeeping of sessions on a simulated clock, and the waits on a real loop."""

import asyncio

import pytest

from app.core import CancelState, FinishReason, HealthStatus, Mark, SessionKey, StageStats
from app.sessions.recent_cancels import RecentCancels
from app.sessions.registry import Heartbeat, Registry
from app.sessions.table import Claim, Confirmation, ReplicaId, SessionEnd, SessionTable
from app.sessions.timeline import all_legs


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


A = SessionKey("default", "a")
T3 = ReplicaId("t3", "replica-1")


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def table(clock):
    return SessionTable(remember_s=60, live_s=600, now=clock)


def test_an_id_is_single_use(table):
    assert table.claim(A) is Claim.GRANTED
    assert table.claim(A) is Claim.DUPLICATE
    table.finish(A, SessionEnd(FinishReason.STOP, 1.0, 25))
    assert table.claim(A) is Claim.DUPLICATE


def test_a_finished_id_is_free_again_after_a_while(table, clock):
    table.claim(A)
    table.finish(A, SessionEnd(FinishReason.STOP, 1.0, 25))
    clock.now += 61
    assert table.claim(A) is Claim.GRANTED


def test_a_live_id_stays_taken_until_its_ingress_must_be_dead(table, clock):
    table.claim(A)
    clock.now += 599
    assert table.claim(A) is Claim.DUPLICATE
    clock.now += 2
    assert table.claim(A) is Claim.GRANTED


def test_a_cancel_that_overtakes_its_request_wins_once(table):
    assert table.cancel(A)[1] is CancelState.UNKNOWN
    assert table.cancel(A)[1] is CancelState.UNKNOWN
    assert table.claim(A) is Claim.CANCELLED
    assert table.claim(A) is Claim.DUPLICATE
    assert table.cancel(A)[1] is CancelState.ALREADY_DONE


def test_tenants_do_not_see_each_other(table):
    table.claim(A)
    assert table.cancel(SessionKey("other", "a"))[1] is CancelState.UNKNOWN
    assert table.claim(SessionKey("third", "a")) is Claim.GRANTED


def test_only_the_first_finish_counts(table):
    table.claim(A)
    table.finish(A, SessionEnd(FinishReason.CANCELLED, 1.0, 25))
    table.finish(A, SessionEnd(FinishReason.STOP, 9.0, 225))
    session = table.get(A)
    assert (session.finish, session.audio_sent_s) == (FinishReason.CANCELLED, 1.0)


def test_forgetting_keeps_the_table_small(table, clock):
    for i in range(1000):
        key = SessionKey("default", str(i))
        table.claim(key)
        table.finish(key, SessionEnd(FinishReason.STOP, 0, 0))
        clock.now += 1
    assert len(table) <= 62


def test_an_id_is_free_again_though_an_older_session_still_lives(table, clock):
    table.claim(SessionKey("default", "long"))
    table.claim(A)
    table.finish(A, SessionEnd(FinishReason.STOP, 1.0, 25))
    clock.now += 61
    assert table.claim(A) is Claim.GRANTED


def test_a_stage_forgets_a_cancel_before_its_id_is_free_again(table, clock):
    recent = RecentCancels(remember_s=60, now=clock)
    table.cancel(A)
    recent.add(A)
    assert A in recent
    assert SessionKey("other", "a") not in recent
    clock.now += 31
    assert A not in recent
    assert table.claim(A) is Claim.CANCELLED


async def test_a_cancel_is_acknowledged_when_ingress_and_t3_have_both_confirmed():
    registry = Registry()
    await registry.claim(A)
    news = await registry.poll(T3, "", 0)
    following = asyncio.ensure_future(registry.poll(T3, news.epoch, news.cursor))
    cancelling = asyncio.ensure_future(registry.cancel(A, wait_s=60))
    assert (await following).cancelled == (A,)
    await registry.finish(A, SessionEnd(FinishReason.CANCELLED, 0.4, 12))
    await asyncio.sleep(0)
    assert not cancelling.done()  # T3 has not confirmed
    await registry.confirm(T3, A, Confirmation(30))
    ack = await cancelling
    assert ack.state is CancelState.STOPPED
    assert (ack.audio_sent_ms, ack.tokens_generated, ack.tokens_discarded) == (400.0, 30, 20)


async def test_the_time_to_stop_does_not_grow_when_it_is_asked_again(clock):
    registry = Registry(now=clock)
    await registry.claim(A)
    await registry.cancel(A, wait_s=0)
    clock.now += 0.02
    await registry.finish(A, SessionEnd(FinishReason.CANCELLED, 0.4, 12))
    clock.now += 100
    again = await registry.cancel(A)
    assert (again.state, again.stop_ms) == (CancelState.ALREADY_DONE, 20)


async def test_without_confirmation_the_answer_says_stopping():
    registry = Registry()
    await registry.claim(A)
    await registry.poll(T3, "", 0)
    ack = await registry.cancel(A, wait_s=0.01)
    assert ack.state is CancelState.STOPPING


async def test_a_replica_that_stopped_polling_is_not_waited_for():
    clock = Clock()
    registry = Registry(now=clock)
    await registry.poll(T3, "", 0)
    clock.now += 31
    await registry.claim(A)
    await registry.finish(A, SessionEnd(FinishReason.CANCELLED, 0, 0))
    assert (await registry.cancel(A)).state is CancelState.ALREADY_DONE


async def test_an_unknown_id_is_answered_at_once_and_still_told_to_followers():
    registry = Registry()
    news = await registry.poll(T3, "", 0)
    ack = await registry.cancel(A, wait_s=60)
    assert ack.state is CancelState.UNKNOWN
    assert (await registry.poll(T3, news.epoch, news.cursor)).cancelled == (A,)


async def test_a_poll_without_news_returns_empty_handed():
    registry = Registry()
    news = await registry.poll(T3, "", 0)
    assert await registry.poll(T3, news.epoch, news.cursor, timeout_s=0.01) == news


async def test_a_follower_of_an_earlier_epoch_gets_everything_remembered():
    registry = Registry()
    await registry.cancel(A)
    news = await registry.poll(T3, "an-earlier-epoch", 999)
    assert (news.epoch, news.cancelled) == (registry.epoch, (A,))


async def test_the_log_forgets_but_its_numbers_go_on():
    clock = Clock()
    registry = Registry(remember_s=60, now=clock)
    await registry.cancel(A)
    news = await registry.poll(T3, "", 0)
    clock.now += 61
    b = SessionKey("default", "b")
    await registry.cancel(b)
    assert (await registry.poll(T3, news.epoch, news.cursor)).cancelled == (b,)
    assert (await registry.poll(T3, "", 0)).cancelled == (b,)
    clock.now += 61
    assert (await registry.poll(T3, "", 0)).cancelled == ()


async def test_a_replica_hears_which_sessions_the_stage_before_it_wants(clock):
    registry = Registry(now=clock)
    vocoder = ReplicaId("vocoder", "v")
    await registry.report(vocoder, Heartbeat(StageStats(), sessions=frozenset({A})))
    assert await registry.report(T3, Heartbeat(StageStats())) == {A}
    assert (
        await registry.report(vocoder, Heartbeat(StageStats())) == frozenset()
    )  # no ingress has it
    clock.now += 4  # the vocoder has died
    assert await registry.report(T3, Heartbeat(StageStats())) == frozenset()


async def test_a_registry_that_began_anew_is_told_what_an_ingress_remembers():
    registry = Registry()
    b = SessionKey("default", "b")
    news = await registry.poll(T3, "", 0)
    await registry.restore(live=[A], cancelled=[b])
    assert (await registry.poll(T3, news.epoch, news.cursor)).cancelled == (b,)
    assert await registry.claim(A) is Claim.DUPLICATE
    assert await registry.claim(b) is Claim.CANCELLED
    await registry.restore(live=[A], cancelled=[b])  # by another ingress: it is no second cancel
    assert (await registry.poll(T3, "", 0)).cancelled == (b,)


async def test_a_session_that_lives_through_a_restart_is_cancelled_as_any_other():
    registry = Registry()
    await registry.restore(live=[A], cancelled=[])
    await registry.finish(A, SessionEnd(FinishReason.STOP, 1.0, 25))
    assert (await registry.cancel(A)).state is CancelState.ALREADY_DONE


async def test_who_would_wait_too_long_for_a_slot_is_refused_and_has_not_used_the_id(clock):
    registry = Registry(queue_s=20.0, now=clock)
    two_slots = Heartbeat(StageStats(slots_free=0, slots_total=2))
    late = SessionKey("default", "late")
    for n, predicted_s in enumerate((60.0, 30.0, 30.0)):
        await registry.report(ReplicaId("vocoder", "v"), two_slots)
        assert await registry.claim(SessionKey("default", str(n)), predicted_s) is Claim.GRANTED
        clock.now += 10.0  # the third finds both slots taken, the first free of them in 20 s
    await registry.report(ReplicaId("vocoder", "v"), two_slots)
    assert await registry.claim(late) is Claim.FULL  # the third has yet to begin
    assert await registry.claim(SessionKey("default", "2")) is Claim.DUPLICATE  # as ever
    await registry.finish(SessionKey("default", "0"), SessionEnd(FinishReason.CANCELLED))
    assert await registry.claim(late) is Claim.GRANTED


async def test_who_is_still_being_played_holds_no_slot(clock):
    registry = Registry(queue_s=20.0, now=clock)
    idle = Heartbeat(StageStats(slots_free=2, slots_total=2))
    for n in range(10):
        clock.now += 0.1
        await registry.report(ReplicaId("vocoder", "v"), idle)  # what came before has been made
        assert await registry.claim(SessionKey("default", str(n)), 60.0) is Claim.GRANTED
    assert await registry.claim(SessionKey("default", "at once"), 60.0) is Claim.GRANTED
    assert await registry.claim(SessionKey("default", "too many")) is Claim.FULL


async def test_while_no_vocoder_has_reported_nobody_is_refused_for_want_of_slots():
    registry = Registry(queue_s=0.0)
    for n in range(100):
        assert await registry.claim(SessionKey("default", str(n)), 60.0) is Claim.GRANTED


async def test_while_the_model_is_not_loaded_no_session_begins_and_afterwards_one_does():
    registry = Registry()
    await registry.claim(SessionKey("default", "lives"))
    assert await registry.switch(loaded=False) == 1
    assert await registry.claim(SessionKey("default", "late")) is Claim.UNLOADED
    assert (await registry.health(())).status is HealthStatus.UNLOADED
    await registry.switch(loaded=True)
    assert await registry.claim(SessionKey("default", "late")) is Claim.GRANTED


async def test_while_draining_no_session_begins_and_those_that_live_are_counted():
    registry = Registry()
    await registry.claim(A)
    assert await registry.drain() == 1
    assert await registry.claim(SessionKey("default", "b")) is Claim.DRAINING
    await registry.finish(A, SessionEnd(FinishReason.STOP))
    assert await registry.drain() == 0


async def test_what_is_remembered_of_a_session_comes_from_all_who_told(clock):
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
