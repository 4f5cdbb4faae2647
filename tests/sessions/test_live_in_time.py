"""How long a session waits for its voice, its sound and its listener."""

import asyncio
import time
from dataclasses import replace

import pytest

import app.sessions.live
from app.config import Limits
from app.core import FinishReason
from app.errors import Overloaded, SynthesisFailed, Unavailable
from app.sessions.live import LiveSessions
from app.sessions.table import Claim
from tests.support.live_sessions import REQUEST, A, Source


async def test_a_session_past_its_deadline_fails(client):
    sessions = LiveSessions(client, Limits(request_timeout_s=0.02))
    source = Source(hold=0)
    with pytest.raises(SynthesisFailed, match="within"):
        await anext(sessions.speak(REQUEST, source))
    assert source.closed == 1


async def test_a_session_without_sound_in_time_is_refused_as_overload(client):
    sessions = LiveSessions(client, Limits(first_audio_s=0.02))
    source = Source(hold=0)
    with pytest.raises(Overloaded, match=r"no sound could be made within 0\.02 s"):
        await anext(sessions.speak(REQUEST, source))
    assert source.closed == 1
    assert client.finished == [(A, FinishReason.ERROR, 0, 0)]


async def test_a_session_with_sound_may_pause_longer_than_first_audio_s(client):
    sessions = LiveSessions(client, Limits(first_audio_s=0.02))
    source = Source(hold=1)
    stream = sessions.speak(REQUEST, source)
    await anext(stream)
    coming = asyncio.ensure_future(anext(stream))
    await source.holding.wait()
    assert await asyncio.wait({coming}, timeout=0.1) == (set(), {coming})
    sessions.stop(A)
    await coming


async def test_first_audio_s_counts_from_the_prepared_voice(client):
    sessions = LiveSessions(client, Limits(first_audio_s=0.05))
    prepared = []

    async def prepare(voice):
        await asyncio.sleep(0.1)
        prepared.append(voice)

    chunks = [chunk async for chunk in sessions.speak(REQUEST, Source(), prepare)]
    assert [len(chunk.pcm) for chunk in chunks] == [960, 960, 960, 0]
    assert prepared == [REQUEST.voice]


async def test_a_stop_while_the_voice_is_prepared_ends_the_session(sessions, client):
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


async def test_an_error_in_the_preparation_of_the_voice_is_raised(sessions, client):
    async def prepare(voice):
        raise Unavailable("no enroller")

    with pytest.raises(Unavailable):
        await anext(sessions.speak(REQUEST, Source(), prepare))
    assert client.finished == [(A, FinishReason.ERROR, 0, 0)]


@pytest.mark.parametrize("what", ["voice", "source"])
async def test_a_source_that_is_cancelled_alone_is_an_error(sessions, client, what, monkeypatch):
    monkeypatch.setattr(app.sessions.live, "LEAVING_S", 0.01)

    async def cancelled(_):
        raise asyncio.CancelledError
        yield

    async def prepare(voice):
        if what == "voice":
            raise asyncio.CancelledError

    with pytest.raises(SynthesisFailed, match="was cancelled") as told:
        await anext(sessions.speak(REQUEST, cancelled, prepare))
    assert told.value.code == "replica_lost"
    assert client.finished == [(A, FinishReason.ERROR, 0, 0)]


async def test_a_source_that_is_cancelled_with_its_listener_is_a_cancel(sessions, client):
    async def cancelled(_):
        listening.cancel()  # as Ray does: first what was opened, then who opened it
        raise asyncio.CancelledError
        yield

    listening = asyncio.ensure_future(anext(sessions.speak(REQUEST, cancelled)))
    await asyncio.wait({listening})
    assert listening.cancelled()
    assert client.finished == [(A, FinishReason.CANCELLED, 0, 0)]


async def test_a_voice_that_is_prepared_once_more_does_not_count_against_first_audio_s(client):
    sessions = LiveSessions(client, Limits(first_audio_s=0.05))
    source = Source()

    async def prepared_late(request):
        with sessions.preparing(A):
            await asyncio.sleep(0.12)
        async for chunk in source(request):
            yield chunk

    chunks = [chunk async for chunk in sessions.speak(REQUEST, prepared_late)]
    assert chunks[-1].finish is FinishReason.STOP


async def test_first_audio_s_counts_again_from_the_voice_that_was_prepared_once_more(client):
    sessions = LiveSessions(client, Limits(first_audio_s=0.02))

    async def silent(request):
        with sessions.preparing(A):
            await asyncio.sleep(0.05)
        await asyncio.Event().wait()
        yield

    with pytest.raises(Overloaded, match="no sound"):
        await anext(sessions.speak(REQUEST, silent))


async def test_a_paced_session_may_take_as_long_as_its_sound_plays(client):
    """At a quarter of the speed: 12 chunks of 40 ms play for 1.9 s; the deadline is 0.5 s."""
    sessions = LiveSessions(client, Limits(request_timeout_s=0.5, send_ahead_s=1.0))
    request = replace(REQUEST, is_paced=True, speed=0.25)
    began_s = time.monotonic()
    chunks = [chunk async for chunk in sessions.speak(request, Source(count=12))]
    assert chunks[-1].finish is FinishReason.STOP
    assert time.monotonic() - began_s > 0.5


async def test_a_paced_session_that_gets_no_more_sound_ends_at_its_deadline(client):
    sessions = LiveSessions(client, Limits(request_timeout_s=0.1))
    stream = sessions.speak(replace(REQUEST, is_paced=True), Source(hold=2))
    with pytest.raises(SynthesisFailed) as caught:
        [chunk async for chunk in stream]
    assert caught.value.code == "timeout"


async def test_a_paced_session_is_sent_little_faster_than_it_plays(client):
    source = Source(count=50)  # 2 s of sound, made at once
    sessions = LiveSessions(client, Limits(send_ahead_s=1.0))
    stream = sessions.speak(replace(REQUEST, is_paced=True), source)
    began_s = time.monotonic()
    num_samples = 0
    async for chunk in stream:
        num_samples += len(chunk.pcm)
        assert num_samples / 24_000 - (time.monotonic() - began_s) <= 1.0 + 0.04
    assert num_samples == 48_000


async def test_a_session_that_is_not_paced_is_sent_at_once(client):
    sessions = LiveSessions(client, Limits(request_timeout_s=0.5, send_ahead_s=1.0))
    chunks = [chunk async for chunk in sessions.speak(REQUEST, Source(count=100))]
    assert len(chunks) == 100 + 1  # 4 s of sound, before a deadline of half a second


async def test_a_stop_ends_the_wait_of_a_paced_chunk(client):
    sessions = LiveSessions(client, Limits(send_ahead_s=1.0))
    stream = sessions.speak(replace(REQUEST, is_paced=True), Source(count=1000))
    for _ in range(25):
        await anext(stream)
    coming = asyncio.ensure_future(anext(stream))
    await asyncio.sleep(0)
    sessions.stop(A)
    assert (await coming).finish is FinishReason.CANCELLED


@pytest.mark.parametrize(
    ("claim", "code"),
    [
        (Claim.DRAINING, "draining"),
        (Claim.UNLOADED, "model_unloaded"),
        (Claim.FULL, "overloaded"),
    ],
)
async def test_a_refused_claim_is_an_overload_before_any_work(client, sessions, claim, code):
    client.answer = claim
    source = Source()
    with pytest.raises(Overloaded) as caught:
        await anext(sessions.speak(REQUEST, source))
    assert (caught.value.code, caught.value.status) == (code, 503)
    assert (source.closed, client.finished) == (0, [])


async def test_a_session_loads_a_model_that_is_out_of_memory_and_speaks(client):
    client.answer = Claim.UNLOADED

    async def load():
        client.answer = Claim.GRANTED

    sessions = LiveSessions(client, Limits(), load=load)
    chunks = [chunk async for chunk in sessions.speak(REQUEST, Source())]
    assert chunks[-1].finish is FinishReason.STOP


async def test_a_session_whose_model_loads_too_slowly_is_refused(client):
    client.answer = Claim.UNLOADED
    sessions = LiveSessions(client, Limits(first_audio_s=0.02), load=asyncio.Event().wait)
    source = Source()
    with pytest.raises(Overloaded) as caught:
        await anext(sessions.speak(REQUEST, source))
    assert caught.value.code == "model_unloaded"
    assert (source.closed, client.finished, len(sessions)) == (0, [], 0)


async def test_a_session_that_is_stopped_while_its_model_loads_makes_no_sound(client):
    client.answer = Claim.UNLOADED
    loading = asyncio.Event()

    async def load():
        loading.set()
        await asyncio.Event().wait()

    sessions = LiveSessions(client, Limits(), load=load)
    source = Source()
    coming = asyncio.ensure_future(anext(sessions.speak(REQUEST, source)))
    await loading.wait()
    sessions.stop(A)
    assert (await coming).finish is FinishReason.CANCELLED
    assert source.closed == 0
