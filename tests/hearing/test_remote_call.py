"""A call whose hearing is in another process: over a real socket, in this one."""

import asyncio
from contextlib import asynccontextmanager

import pytest

from app.errors import Overloaded, Unavailable
from app.hearing.call_messages import CallAddress, machine_id
from app.hearing.call_server import CallServer
from app.hearing.ears import FinalText, Listening, SoundFormat, SpeechBegan, TurnDetection
from app.hearing.remote_call import RemoteHearing
from tests.support.eventually import eventually
from tests.support.scripted_hearing import ScriptedHearing

PCM, TURNS = SoundFormat(), TurnDetection()


class World:
    def __init__(self, server, hearing):
        self.server = server
        self.hearing = hearing
        self.remote = RemoteHearing(server.expected)

    @property
    def ears(self):
        """At the other end."""
        return self.hearing.calls[-1]


@pytest.fixture
async def world():
    hearing = ScriptedHearing()
    server = CallServer(hearing)
    await server.listen("127.0.0.1")
    yield World(server, hearing)
    await server.aclose()


@pytest.fixture
async def call(world):
    call = await world.remote.open_call(PCM, TURNS)
    yield call
    await call.aclose()


async def test_the_call_is_opened_as_it_was_asked_for(call, world):
    assert (world.ears.sound, world.ears.turns) == (PCM, TURNS)
    await call.configure(SoundFormat("mulaw", 8000), None)
    assert (world.ears.sound, world.ears.turns) == (SoundFormat("mulaw", 8000), None)


async def test_sound_arrives_and_events_come_back(call, world):
    await call.accept(b"ab")
    await call.accept(b"c")
    await eventually(lambda: world.ears.accepted == b"abc", 5, "the sound is accepted")
    world.ears.begins()
    world.ears.understands("hello")
    events = call.events()
    told = [await anext(events) for _ in range(3)]
    assert [type(event) for event in told] == [SpeechBegan, Listening, FinalText]
    assert told[2] == FinalText(1, "hello", 1.0)


async def test_times_are_those_of_this_machines_clock(call, world):
    world.ears.begins()
    began = await anext(call.events())
    now_s = asyncio.get_running_loop().time()
    assert machine_id()
    assert 0 <= now_s - began.noticed_at_s < 5


async def test_an_order_comes_behind_the_sound_before_it(call, world):
    await call.configure(PCM, None)
    await call.accept(b"ab")
    assert await call.commit() == 1
    assert world.ears.accepted == b"ab"
    assert await call.commit() is None
    await call.clear()
    assert world.ears.num_clears == 1


async def test_an_abort_does_not_wait_behind_sound(call, world):
    blocked = asyncio.Event()
    world.ears.accept = lambda sound: blocked.wait()
    await call.accept(b"ab")
    aborted = await asyncio.wait_for(call.abort(3), 5)
    assert (world.ears.aborted, aborted.up_to) == ([3], 3)
    assert aborted.freed_at_s is not None
    blocked.set()


async def test_leaving_closes_the_hearing_and_forgets_the_token(world):
    call = await world.remote.open_call(PCM, TURNS)
    await call.aclose()
    await call.aclose()
    await eventually(lambda: world.ears.is_closed, 5, "the hearing is closed")
    await eventually(lambda: world.server.num_calls == 0, 5, "the call is forgotten")


async def test_a_lost_server_is_told_by_the_events_and_by_every_order(call, world):
    await world.server.aclose()
    with pytest.raises(Unavailable) as lost:
        await anext(call.events())
    assert lost.value.code == "hearing_lost"
    with pytest.raises(Unavailable):
        await call.commit()
    with pytest.raises(Unavailable):
        await call.accept(b"ab")


async def test_a_refusal_of_the_hearing_is_told(world):
    world.hearing.error = Overloaded("all recognisers have calls")
    with pytest.raises(Unavailable) as refused:
        await world.remote.open_call(PCM, TURNS)
    assert refused.value.code == "overloaded"
    assert world.server.num_calls == 0
    await (await world.remote.open_call(PCM, TURNS)).aclose()


@pytest.mark.parametrize("token", ["", "guessed"])
async def test_a_call_needs_its_token(world, token):
    @asynccontextmanager
    async def other():
        async with world.server.expected() as address:
            yield CallAddress(address.url, token)

    with pytest.raises(Unavailable):
        await RemoteHearing(other).open_call(PCM, TURNS)
    assert not world.hearing.calls


async def test_a_token_opens_one_call(world):
    async with world.server.expected() as address:

        @asynccontextmanager
        async def same():
            yield address

        call = await RemoteHearing(same).open_call(PCM, TURNS)
        with pytest.raises(Unavailable):
            await RemoteHearing(same).open_call(PCM, TURNS)
        await call.aclose()
    assert len(world.hearing.calls) == 1


async def test_the_end_of_a_token_ends_its_call(world):
    call = await world.remote.open_call(PCM, TURNS)
    (connection,) = world.server._connections.values()
    await connection.close()
    with pytest.raises(Unavailable):
        await anext(call.events())
    await eventually(lambda: world.ears.is_closed, 5, "the hearing is closed")
    await call.aclose()
