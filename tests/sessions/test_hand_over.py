"""The transport's side of a session: what it takes, what it never takes, and a stop meanwhile."""

import asyncio
from contextlib import aclosing

import pytest

from app.core import FinishReason
from app.errors import ReaderStalled
from tests.support.live_sessions import REQUEST, A, Source

WAIT_S = 30


async def test_a_stop_does_not_wait_for_a_transport_that_takes_nothing(sessions, client):
    """The sound that it has not taken counts as not sent."""
    stream = sessions.speak(REQUEST, Source())
    await anext(stream)
    await sessions.hand_over(A, taken_at_once())
    await anext(stream)
    full = asyncio.Event()
    handing = asyncio.ensure_future(sessions.hand_over(A, never_taken(full)))
    await full.wait()
    sessions.stop(A)
    await asyncio.wait_for(handing, WAIT_S)
    assert [chunk.finish async for chunk in stream] == [FinishReason.CANCELLED]
    assert client.finished == [(A, FinishReason.CANCELLED, 1, 2)]


async def test_what_the_transport_raises_is_raised(sessions):
    async def broken():
        raise ReaderStalled("full")

    stream = sessions.speak(REQUEST, Source())
    await anext(stream)
    with pytest.raises(ReaderStalled):
        await sessions.hand_over(A, broken())
    await stream.aclose()


async def test_a_listener_who_leaves_while_it_is_handed_over_cancels_the_sending(sessions, client):
    full, source = asyncio.Event(), Source()

    async def listen():
        async with aclosing(sessions.speak(REQUEST, source)) as chunks:
            async for _ in chunks:
                await sessions.hand_over(A, never_taken(full))

    listening = asyncio.ensure_future(listen())
    await full.wait()
    listening.cancel()
    await asyncio.wait({listening})
    assert (source.closed, client.ends[0].cause) == (1, "disconnect")


async def test_a_reader_that_stalls_is_the_cause_of_the_end(sessions, client):
    source = Source()
    stream = sessions.speak(REQUEST, source)
    await anext(stream)
    sessions.reader_stalled(A)
    await stream.aclose()
    end = client.ends[0]
    assert (end.reason, end.cause) == (FinishReason.CANCELLED, "reader_stalled")
    assert (end.audio_sent_s, source.closed, len(sessions)) == (0.0, 1, 0)


async def test_a_stop_while_the_last_chunk_is_sent_is_told(sessions, client):
    """Else a context would go on with its next take."""
    stream = sessions.speak(REQUEST, Source(count=1))
    await anext(stream)
    sessions.stop(A)
    assert [chunk.finish async for chunk in stream] == [FinishReason.CANCELLED]
    assert client.ends[0].cause == "cancel"


async def test_what_is_handed_over_after_the_end_is_only_sent(sessions):
    sent = asyncio.Event()

    async def sending():
        sent.set()

    await sessions.hand_over(A, sending())
    assert sent.is_set()


async def taken_at_once():
    """A transport with room."""


async def never_taken(full):
    full.set()
    await asyncio.Event().wait()
