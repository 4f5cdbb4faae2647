"""A cancel that comes over another connection, at another ingress, says what was heard."""

import asyncio
from contextlib import aclosing
from dataclasses import replace

import pytest

from app.config import Limits
from app.core import CancelState, FinishReason, SessionKey
from app.sessions.live import LiveSessions
from app.sessions.registry import Registry
from app.sessions.table import Confirmation, ReplicaId
from app.sessions.word_clock import SoundClock, WordClock
from app.spoken_words import Heard
from app.word_marks import WordTime
from tests.support.live_sessions import REQUEST, A, Source

T3 = ReplicaId("t3", "replica-1")
TEXT = "One two three four."
PLACES = (((0, 3), (4, 7), (8, 13), (14, 19)),)
TOKEN = 960  # samples: 40 ms
TIMES = tuple(WordTime(0, num, num * 10 * TOKEN, (num + 1) * 10 * TOKEN) for num in range(4))


class Client:
    """An ingress's way to the registry."""

    def __init__(self, registry):
        self._registry = registry
        self.claim, self.wait_s = registry.claim, registry.wait_s
        self.claim_group, self.cancel = registry.claim_group, registry.cancel
        self.finishing = []

    def finish(self, key, end):
        self.finishing.append(asyncio.ensure_future(self._registry.finish(key, end)))

    finish_group = finish


class Speaking:
    """A session at one ingress, of which the listener has taken some chunks of 40 ms."""

    def __init__(self, registry, num_chunks, hold=None):
        self.sessions = LiveSessions(Client(registry), Limits())
        self.words = WordClock(TEXT, PLACES, SoundClock())
        self._source = Source(num_chunks, hold=hold)
        self.spoken = asyncio.ensure_future(self._speak())

    async def _speak(self):
        stream = self.sessions.speak(REQUEST, self._source, words=self.words)
        async with aclosing(stream) as chunks:
            async for chunk in chunks:
                self.words.add(chunk if chunk.start else replace(chunk, words=TIMES))

    async def holds(self):
        await self._source.holding.wait()


async def follow(registry, sessions, batch):
    """What the ingress's follower does: stops what was cancelled."""
    for key in (
        await registry.poll(ReplicaId("ingress", "1"), batch.epoch, batch.cursor)
    ).cancelled:
        sessions.stop(key)


@pytest.mark.parametrize(
    ("played_ms", "expected"),
    [
        (None, Heard("One two", "two", 7, 960.0, False)),  # 24 chunks of 40 ms were sent
        (500.0, Heard("One", "One", 3, 500.0, False)),
        (600.0, Heard("One two", "two", 7, 600.0, False)),
        (9e6, Heard("One two", "two", 7, 960.0, False)),
    ],
)
async def test_the_acknowledgement_says_what_was_heard(played_ms, expected):
    registry = Registry()
    batch = await registry.poll(T3, "", 0)
    speaking = Speaking(registry, num_chunks=40, hold=24)
    await speaking.holds()
    following = asyncio.ensure_future(follow(registry, speaking.sessions, batch))
    cancelling = asyncio.ensure_future(registry.cancel(A, wait_s=60, played_ms=played_ms))
    await following
    await registry.confirm(T3, A, Confirmation(30))
    ack = await cancelling
    assert (ack.state, ack.heard) == (CancelState.STOPPED, expected)
    assert (await registry.session(A)).heard == expected
    await speaking.spoken


async def test_a_session_that_was_sent_to_its_end_is_cut_where_its_client_stopped_playing():
    registry = Registry()
    speaking = Speaking(registry, num_chunks=40)
    await speaking.spoken
    assert (await registry.transcript(A)).audio_ms == 1600
    assert (await registry.session(A)).heard is None
    ack = await registry.cancel(A, played_ms=1250.0)
    assert ack.state is CancelState.ALREADY_DONE
    assert ack.heard == Heard("One two three", "three", 13, 1250.0, False)
    assert (await registry.session(A)).heard == ack.heard


async def test_an_acknowledgement_before_the_end_does_not_know_what_was_heard():
    registry = Registry()
    speaking = Speaking(registry, num_chunks=40, hold=24)
    await speaking.holds()
    ack = await registry.cancel(A, wait_s=0, played_ms=600.0)
    assert (ack.state, ack.heard) == (CancelState.STOPPING, None)
    speaking.sessions.stop(A)
    await speaking.spoken
    await asyncio.sleep(0)
    assert (await registry.session(A)).heard.text == "One two"


async def test_of_an_unknown_session_nothing_was_heard():
    registry = Registry()
    ack = await registry.cancel(SessionKey("default", "nobody"), played_ms=600.0)
    assert (ack.state, ack.heard) == (CancelState.UNKNOWN, None)


async def test_a_session_that_was_cancelled_before_its_first_sound_was_not_heard():
    registry = Registry()
    speaking = Speaking(registry, num_chunks=40, hold=0)
    await speaking.holds()
    speaking.sessions.stop(A)
    await speaking.spoken
    await asyncio.sleep(0)
    report = await registry.session(A)
    assert (report.finish, report.heard) == (FinishReason.CANCELLED, Heard("", None, 0, 0.0, False))
