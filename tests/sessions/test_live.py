"""Every way a session can end, from the ingress's side."""

import asyncio
from contextlib import aclosing
from dataclasses import replace

import pytest

from app.config import Limits
from app.core import FinishReason, Mark
from app.errors import DuplicateSession, SynthesisFailed, Unavailable
from app.sessions.live import LiveSessions
from app.sessions.table import Claim
from tests.support.live_sessions import REQUEST, A, Source


async def test_a_session_is_finished_once(sessions, client):
    source = Source()
    chunks = [chunk async for chunk in sessions.speak(REQUEST, source)]
    assert [(chunk.start, chunk.finish) for chunk in chunks] == [
        (0, None),
        (960, None),
        (1920, None),
        (2880, FinishReason.STOP),
    ]
    assert not len(chunks[-1].pcm)
    assert client.finished == [(A, FinishReason.STOP, 3, 3)]
    assert (source.closed, len(sessions)) == (1, 0)


async def test_a_stop_ends_a_stream_that_waits_for_sound(sessions, client):
    source = Source(hold=1)
    stream = sessions.speak(REQUEST, source)
    await anext(stream)
    coming = asyncio.ensure_future(anext(stream))
    await source.holding.wait()
    sessions.stop(A)
    assert (await coming).finish is FinishReason.CANCELLED
    assert [chunk async for chunk in stream] == []
    assert client.finished == [(A, FinishReason.CANCELLED, 1, 1)]
    assert source.closed == 1


@pytest.mark.parametrize("held", [True, False])
async def test_a_fault_of_the_cluster_ends_every_session_with_its_error(sessions, client, held):
    source = Source(hold=1 if held else None)
    stream = sessions.speak(REQUEST, source)
    await anext(stream)
    coming = asyncio.ensure_future(anext(stream)) if held else None
    if held:
        await source.holding.wait()
    sessions.fail(Unavailable("the cluster is away", code="cluster_away"))
    sessions.fail(Unavailable("a second time"))
    with pytest.raises(Unavailable, match="the cluster is away"):
        await (coming or anext(stream))
    assert client.finished == [(A, FinishReason.ERROR, 1, 1)]
    assert (source.closed, len(sessions)) == (1, 0)


async def test_no_sound_follows_a_stop(sessions, client):
    stream = sessions.speak(REQUEST, Source())
    await anext(stream)
    sessions.stop(A)
    assert [len(chunk.pcm) async for chunk in stream] == [0]


async def test_a_listener_who_leaves_cancels_the_session(sessions, client):
    source = Source()
    stream = sessions.speak(REQUEST, source)
    await anext(stream)
    await stream.aclose()
    assert client.finished == [(A, FinishReason.CANCELLED, 1, 1)]
    assert source.closed == 1


async def test_a_cancelled_task_cancels_the_session(sessions, client):
    source = Source(hold=0)

    async def listen():
        return [chunk async for chunk in sessions.speak(REQUEST, source)]

    task = asyncio.ensure_future(listen())
    await source.holding.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    # the generator of a cancelled task ends with the task
    assert client.finished == [(A, FinishReason.CANCELLED, 0, 0)]
    assert source.closed == 1


async def test_leaving_after_the_last_sound_is_not_a_cancel(sessions, client):
    stream = sessions.speak(REQUEST, Source(count=1))
    await anext(stream)
    await stream.aclose()
    assert client.finished == [(A, FinishReason.STOP, 1, 1)]


async def test_an_error_reaches_the_listener_and_the_registry(sessions, client):
    source = Source(fail=1)
    stream = sessions.speak(REQUEST, source)
    await anext(stream)
    with pytest.raises(SynthesisFailed):
        await anext(stream)
    assert client.finished == [(A, FinishReason.ERROR, 1, 1)]
    assert source.closed == 1


async def test_a_source_that_ends_without_a_finish_is_an_error(sessions, client):
    source = Source(count=0)
    with pytest.raises(SynthesisFailed, match="without a finish"):
        await anext(sessions.speak(REQUEST, source))
    assert client.finished[0][1] is FinishReason.ERROR


async def test_a_duplicate_is_refused_before_any_work(client, sessions):
    client.answer = Claim.DUPLICATE
    source = Source()
    with pytest.raises(DuplicateSession):
        await anext(sessions.speak(REQUEST, source))
    assert (source.closed, client.finished) == (0, [])


async def test_a_live_id_is_refused_even_if_the_registry_grants_it(sessions, client):
    first = sessions.speak(REQUEST, Source())
    await anext(first)
    with pytest.raises(DuplicateSession):
        await anext(sessions.speak(REQUEST, Source()))
    assert len([chunk async for chunk in first if len(chunk.pcm)]) == 2


async def test_a_cancel_before_its_request_makes_no_sound(sessions, client):
    client.answer = Claim.CANCELLED
    source = Source()
    chunks = [chunk async for chunk in sessions.speak(REQUEST, source)]
    assert [(len(chunk.pcm), chunk.finish) for chunk in chunks] == [(0, FinishReason.CANCELLED)]


@pytest.mark.parametrize(
    ("answer", "finished"),
    [(Claim.GRANTED, [(A, FinishReason.CANCELLED, 0, 0)]), (Claim.DUPLICATE, [])],
)
async def test_a_claim_granted_after_the_listener_left_is_given_back(
    client, sessions, answer, finished
):
    client.answer = answer
    client.may_answer.clear()
    coming = asyncio.ensure_future(anext(sessions.speak(REQUEST, Source())))
    await client.asked.wait()
    coming.cancel()
    await asyncio.wait({coming})
    assert len(sessions) == 0
    client.may_answer.set()
    for _ in range(3):  # the claim, its callback, its finish
        await asyncio.sleep(0)
    assert client.finished == finished


async def test_the_end_of_a_session_has_marks_in_order(sessions, client):
    [chunk async for chunk in sessions.speak(REQUEST, Source())]
    marks = client.ends[0].marks
    order = [Mark.RECEIVED, Mark.CLAIMED, Mark.FIRST_BYTE, Mark.LAST_BYTE]
    assert list(marks) == order
    assert sorted(marks.values()) == list(marks.values())


async def test_disconnected_is_marked_for_a_listener_who_leaves_only(sessions, client):
    stream = sessions.speak(REQUEST, Source())
    await anext(stream)
    await stream.aclose()
    stream = sessions.speak(REQUEST, Source())
    await anext(stream)
    sessions.stop(A)
    [chunk async for chunk in stream]
    left, stopped = (end.marks for end in client.ends)
    assert Mark.DISCONNECTED in left
    assert Mark.DISCONNECTED not in stopped
    assert Mark.AUDIO_STOPPED in stopped


@pytest.mark.parametrize("hold", [None, 1], ids=["while it is sent", "while it waits"])
async def test_disconnected_is_marked_before_the_source_closes(sessions, client, hold):
    source = Source(hold=hold)
    being_sent, never = asyncio.Event(), asyncio.Event()

    async def listen():
        async with aclosing(sessions.speak(REQUEST, source)) as chunks:
            async for _ in chunks:
                if hold is None:
                    being_sent.set()
                    await never.wait()

    task = asyncio.ensure_future(listen())
    await (being_sent if hold is None else source.holding).wait()
    task.cancel()
    await asyncio.wait({task})
    assert client.ends[0].marks[Mark.DISCONNECTED] < source.closed_s


async def test_the_end_of_a_session_has_its_cause(sessions, client):
    [chunk async for chunk in sessions.speak(REQUEST, Source())]
    stream = sessions.speak(REQUEST, Source())
    await anext(stream)
    await stream.aclose()
    stream = sessions.speak(REQUEST, Source())
    await anext(stream)
    sessions.stop(A)
    [chunk async for chunk in stream]
    with pytest.raises(SynthesisFailed):
        [chunk async for chunk in sessions.speak(REQUEST, Source(fail=1))]
    causes = [end.cause for end in client.ends]
    assert causes == ["finished", "disconnect", "cancel", "synthesis_failed"]


async def test_the_cause_at_the_deadline_is_timeout(client):
    sessions = LiveSessions(client, Limits(request_timeout_s=0.001))
    with pytest.raises(SynthesisFailed):
        await anext(sessions.speak(REQUEST, Source(hold=0)))
    assert client.ends[0].cause == "timeout"


async def test_the_end_of_a_session_counts_underruns(client):
    """Three chunks of 40 ms; the second comes in time, the third 60 ms late."""
    now_s = 100.0
    request = replace(REQUEST, is_paced=True)
    sessions = LiveSessions(client, Limits(send_ahead_s=None), now=lambda: now_s)
    stream = sessions.speak(request, Source())
    for at_s in (100.0, 100.03, 100.14):
        await anext(stream)
        now_s = at_s
    [chunk async for chunk in stream]
    end = client.ends[0]
    assert (end.is_stream, end.num_underruns, round(end.stalled_s, 6)) == (True, 1, 0.06)
