"""A session that would make running streams stall waits for its turn."""

import asyncio
from contextlib import aclosing
from dataclasses import replace

import pytest

import app.sessions.live
from app.config import Limits
from app.core import FinishReason
from app.errors import Overloaded
from app.sessions.live import LiveSessions
from app.sessions.smooth_admission import Work
from app.sessions.table import Claim
from tests.support.live_sessions import REQUEST, A, Client, Source


class BusyClient(Client):
    """A registry that answers BUSY some times, and then what it is told to."""

    def __init__(self, times: float, claim: Claim = Claim.GRANTED) -> None:
        super().__init__(claim)
        self.times = times

    async def claim(self, key, work):
        claim = await super().claim(key, work)
        self.times -= 1
        return claim if self.times < 0 else Claim.BUSY


@pytest.fixture(autouse=True)
def asks_soon(monkeypatch):
    monkeypatch.setattr(app.sessions.live, "ASK_AGAIN_S", 0.001)


async def test_a_session_begins_when_its_turn_has_come():
    client, source = BusyClient(times=3), Source()
    sessions = LiveSessions(client, Limits())
    chunks = [chunk async for chunk in sessions.speak(REQUEST, source)]
    assert chunks[-1].finish is FinishReason.STOP
    assert len(client.works) == 4


async def test_the_registry_is_told_what_the_session_asks_of_the_engines():
    client = Client()
    request = replace(REQUEST, segments=("a" * 24,), is_paced=True, speed=2.0)
    for lead_s in (0.0, 1.5):
        sessions = LiveSessions(client, Limits())
        async with aclosing(sessions.speak(replace(request, lead_s=lead_s), Source())) as chunks:
            await anext(chunks)
    stream = Work(2.0, is_stream=True, speed=2.0)
    assert client.works == [stream, stream._replace(goes_on=True)]


@pytest.mark.parametrize(("profile", "told_s"), [("listeners", 8), ("agents", 1)])
async def test_a_turn_that_does_not_come_is_an_overload_that_says_when_to_come_again(
    profile, told_s
):
    client, source = BusyClient(times=10**9), Source()
    client.wait_s_told = 7.2
    sessions = LiveSessions(client, Limits(first_audio_s=0.02, profile=profile))
    with pytest.raises(Overloaded, match=r"would stall .*limits\.admit") as refusal:
        await anext(sessions.speak(REQUEST, source))
    assert refusal.value.retry_after_s == told_s
    assert (source.closed, client.ends, len(sessions)) == (0, [], 0)


async def test_a_refusal_without_a_wait_says_so_at_once():
    client = BusyClient(times=2, claim=Claim.NO_TURN)
    client.wait_s_told = 40.0
    sessions = LiveSessions(client, Limits())
    with pytest.raises(Overloaded, match="its turn does not come") as refusal:
        await anext(sessions.speak(REQUEST, Source()))
    assert (refusal.value.retry_after_s, len(client.works)) == (40, 3)


async def test_a_stop_ends_the_wait():
    client = BusyClient(times=10**9)
    sessions = LiveSessions(client, Limits())
    async with aclosing(sessions.speak(REQUEST, Source())) as chunks:
        coming = asyncio.ensure_future(anext(chunks))
        await client.asked.wait()
        sessions.stop(A)
        assert (await coming).finish is FinishReason.CANCELLED
    assert [end.cause for end in client.ends] == ["cancel"]


async def test_a_listener_that_leaves_while_it_waits_has_taken_nothing():
    client, source = BusyClient(times=10**9), Source()
    sessions = LiveSessions(client, Limits())
    coming = asyncio.ensure_future(anext(sessions.speak(REQUEST, source)))
    await client.asked.wait()
    coming.cancel()
    await asyncio.wait({coming})
    assert (source.closed, client.ends, len(sessions)) == (0, [], 0)
