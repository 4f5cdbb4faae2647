"""Every way a session can end, from the ingress's side."""

import asyncio
import time
from dataclasses import replace

import numpy as np
import pytest

from app.config import Limits
from app.core import AudioChunk, FinishReason, Mark, SamplingParams, SessionKey, SynthesisRequest
from app.errors import DuplicateSession, Overloaded, SynthesisFailed, Unavailable
from app.sessions import Claim
from app.speaking import LiveSessions

A = SessionKey("default", "a")
REQUEST = SynthesisRequest(A, ("Hello.",), "anna", SamplingParams())


class Client:
    """A registry that grants what it is told to and notes every finish."""

    def __init__(self, claim=Claim.GRANTED):
        self.answer = claim
        self.finished = []
        self.ends = []
        self.asked = asyncio.Event()
        self.may_answer = asyncio.Event()
        self.may_answer.set()

    async def claim(self, key):
        self.asked.set()
        await self.may_answer.wait()
        return self.answer

    async def cancel(self, key):
        raise AssertionError("the ingress never cancels through itself")

    def finish(self, key, end):
        self.ends.append(end)
        self.finished.append((key, end.reason, round(end.audio_sent_s * 25), end.num_tokens))


class Source:
    """`count` chunks of one token each; waits for ever before the one named `hold`."""

    def __init__(self, count=3, hold=None, fail=None):
        self.count, self.hold, self.fail = count, hold, fail
        self.holding = asyncio.Event()
        self.closed = 0

    async def __call__(self, request):
        try:
            for i in range(self.count):
                if i == self.hold:
                    self.holding.set()
                    await asyncio.Event().wait()
                if i == self.fail:
                    raise SynthesisFailed("broken")
                finish = FinishReason.STOP if i + 1 == self.count else None
                yield AudioChunk(A, 0, i * 960, np.ones(960, np.float32), i + 1, finish)
        finally:
            self.closed += 1


@pytest.fixture
def client():
    return Client()


@pytest.fixture
def sessions(client):
    return LiveSessions(client, Limits())


async def test_a_session_that_runs_out_finishes_once(sessions, client):
    source = Source()
    chunks = [chunk async for chunk in sessions.speak(REQUEST, source)]
    assert [chunk.start for chunk in chunks] == [0, 960, 1920]
    assert client.finished == [(A, FinishReason.STOP, 3, 3)]
    assert (source.closed, len(sessions)) == (1, 0)


async def test_a_stop_ends_a_stream_that_is_waiting_for_sound(sessions, client):
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


async def test_after_a_stop_no_chunk_follows_even_if_one_is_ready(sessions, client):
    stream = sessions.speak(REQUEST, Source())
    await anext(stream)
    sessions.stop(A)
    assert [len(chunk.pcm) async for chunk in stream] == [0]


async def test_a_listener_that_leaves_is_a_cancel(sessions, client):
    source = Source()
    stream = sessions.speak(REQUEST, source)
    await anext(stream)
    await stream.aclose()
    assert client.finished == [(A, FinishReason.CANCELLED, 1, 1)]
    assert source.closed == 1


async def test_a_cancelled_task_is_a_cancel(sessions, client):
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


async def test_leaving_after_the_last_chunk_is_no_cancel(sessions, client):
    stream = sessions.speak(REQUEST, Source(count=1))
    await anext(stream)
    await stream.aclose()
    assert client.finished == [(A, FinishReason.STOP, 1, 1)]


async def test_a_fault_reaches_the_listener_and_the_registry(sessions, client):
    source = Source(fail=1)
    stream = sessions.speak(REQUEST, source)
    await anext(stream)
    with pytest.raises(SynthesisFailed):
        await anext(stream)
    assert client.finished == [(A, FinishReason.ERROR, 1, 1)]
    assert source.closed == 1


async def test_a_source_that_ends_without_a_finish_is_a_fault(sessions, client):
    source = Source(count=0)
    with pytest.raises(SynthesisFailed, match="without a finish"):
        await anext(sessions.speak(REQUEST, source))
    assert client.finished[0][1] is FinishReason.ERROR


async def test_a_session_past_its_deadline_fails(client):
    sessions = LiveSessions(client, Limits(request_timeout_s=0.02))
    source = Source(hold=0)
    with pytest.raises(SynthesisFailed, match="within"):
        await anext(sessions.speak(REQUEST, source))
    assert source.closed == 1


async def test_what_is_not_heard_in_time_is_refused_as_overload(client):
    sessions = LiveSessions(client, Limits(first_audio_s=0.02))
    source = Source(hold=0)
    with pytest.raises(Overloaded, match=r"nothing could be heard within 0\.02 s"):
        await anext(sessions.speak(REQUEST, source))
    assert source.closed == 1
    assert client.finished == [(A, FinishReason.ERROR, 0, 0)]


async def test_what_has_been_heard_may_take_its_time(client):
    sessions = LiveSessions(client, Limits(first_audio_s=0.02))
    source = Source(hold=1)
    stream = sessions.speak(REQUEST, source)
    await anext(stream)
    coming = asyncio.ensure_future(anext(stream))
    await source.holding.wait()
    assert await asyncio.wait({coming}, timeout=0.1) == (set(), {coming})
    sessions.stop(A)
    await coming


async def test_preparing_a_voice_takes_no_time_from_its_first_sound(client):
    sessions = LiveSessions(client, Limits(first_audio_s=0.05))
    prepared = []

    async def prepare(voice):
        await asyncio.sleep(0.1)
        prepared.append(voice)

    chunks = [chunk async for chunk in sessions.speak(REQUEST, Source(), prepare)]
    assert len(chunks) == 3
    assert prepared == [REQUEST.voice]


async def test_a_stop_while_the_voice_is_prepared_makes_no_sound(sessions, client):
    source, preparing = Source(), asyncio.Event()

    async def prepare(voice):
        preparing.set()
        await asyncio.Event().wait()

    stream = sessions.speak(REQUEST, source, prepare)
    coming = asyncio.ensure_future(anext(stream))
    await preparing.wait()
    sessions.stop(A)
    assert (await coming).finish is FinishReason.CANCELLED
    assert [chunk async for chunk in stream] == []
    assert (source.closed, len(sessions)) == (0, 0)
    assert client.finished == [(A, FinishReason.CANCELLED, 0, 0)]


async def test_a_voice_that_cannot_be_prepared_is_told(sessions, client):
    async def prepare(voice):
        raise Unavailable("no enroller")

    with pytest.raises(Unavailable):
        await anext(sessions.speak(REQUEST, Source(), prepare))
    assert client.finished == [(A, FinishReason.ERROR, 0, 0)]


async def test_a_duplicate_is_refused_before_any_work(client, sessions):
    client.answer = Claim.DUPLICATE
    source = Source()
    with pytest.raises(DuplicateSession):
        await anext(sessions.speak(REQUEST, source))
    assert (source.closed, client.finished) == (0, [])


async def test_a_live_id_is_refused_here_even_if_the_registry_grants_it(sessions, client):
    first = sessions.speak(REQUEST, Source())
    await anext(first)
    with pytest.raises(DuplicateSession):
        await anext(sessions.speak(REQUEST, Source()))
    assert len([chunk async for chunk in first]) == 2


async def test_a_request_that_was_cancelled_before_it_came_makes_no_sound(sessions, client):
    client.answer = Claim.CANCELLED
    source = Source()
    chunks = [chunk async for chunk in sessions.speak(REQUEST, source)]
    assert [(len(chunk.pcm), chunk.finish) for chunk in chunks] == [(0, FinishReason.CANCELLED)]


@pytest.mark.parametrize(
    ("answer", "finished"),
    [(Claim.GRANTED, [(A, FinishReason.CANCELLED, 0, 0)]), (Claim.DUPLICATE, [])],
)
async def test_a_claim_granted_to_a_listener_who_has_left_is_given_back(
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


async def test_a_paced_session_is_handed_on_little_faster_than_it_plays(client):
    source = Source(count=50)  # 2 s of sound, made at once
    sessions = LiveSessions(client, Limits(send_ahead_s=1.0))
    stream = sessions.speak(replace(REQUEST, is_paced=True), source)
    began_s = time.monotonic()
    num_samples = 0
    async for chunk in stream:
        num_samples += len(chunk.pcm)
        assert num_samples / 24_000 - (time.monotonic() - began_s) <= 1.0 + 0.04
    assert num_samples == 48_000


async def test_a_whole_file_is_not_paced(client):
    sessions = LiveSessions(client, Limits(request_timeout_s=0.5, send_ahead_s=1.0))
    chunks = [chunk async for chunk in sessions.speak(REQUEST, Source(count=100))]
    assert len(chunks) == 100  # 4 s of sound, before a deadline of half a second


async def test_a_stop_ends_the_wait_of_a_paced_chunk(client):
    sessions = LiveSessions(client, Limits(send_ahead_s=1.0))
    stream = sessions.speak(replace(REQUEST, is_paced=True), Source(count=1000))
    for _ in range(25):
        await anext(stream)
    coming = asyncio.ensure_future(anext(stream))
    await asyncio.sleep(0)
    sessions.stop(A)
    assert (await coming).finish is FinishReason.CANCELLED


async def test_while_draining_a_session_is_refused_before_any_work(client, sessions):
    client.answer = Claim.DRAINING
    source = Source()
    with pytest.raises(Overloaded) as caught:
        await anext(sessions.speak(REQUEST, source))
    assert (caught.value.code, caught.value.status) == ("draining", 503)
    assert (source.closed, client.finished) == (0, [])


async def test_the_end_of_a_session_tells_when_it_was_heard(sessions, client):
    [chunk async for chunk in sessions.speak(REQUEST, Source())]
    marks = client.ends[0].marks
    order = [Mark.RECEIVED, Mark.CLAIMED, Mark.FIRST_BYTE, Mark.LAST_BYTE]
    assert list(marks) == order
    assert sorted(marks.values()) == list(marks.values())


async def test_a_listener_that_leaves_is_marked_and_a_stop_is_not_taken_for_one(sessions, client):
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
