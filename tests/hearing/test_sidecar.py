"""Recognisers behind a real socket, in threads of this process, with a scripted recogniser."""

import asyncio
import time
from contextlib import asynccontextmanager

import httpx
import pytest
from websockets.asyncio.client import connect

from app.errors import Overloaded, Unavailable
from app.hearing import sidecar_call
from app.hearing.ears import FinalText, HearingFailed, PartialText
from app.hearing.sidecar_host import SidecarHost
from app.hearing.sidecar_server import SidecarServer
from app.hearing_settings import HearingSettings
from tests.support.ears import Listener
from tests.support.eventually import eventually
from tests.support.scripted_recogniser import HANGS, MAKER, RAISES, SLOW, SLOW_S, hang_ends


class Sidecar:
    def __init__(self, server, listening):
        self.server, self.listening = server, listening
        self.port = listening.sockets[0].getsockname()[1]
        self.host = SidecarHost(f"ws://127.0.0.1:{self.port}")

    async def debug(self):
        async with httpx.AsyncClient(trust_env=False) as client:
            return (await client.get(f"http://127.0.0.1:{self.port}/debug")).json()

    async def until_busy(self):
        """The sound that was said has reached a recogniser."""

        def is_taken():
            calls = [call for call in self.server.state()["calls"] if call["is_connected"]]
            return calls and all(c["generation"] and not c["buffered_bytes"] for c in calls)

        await eventually(is_taken, 5, "the sound is taken")

    async def until_free(self):
        async with asyncio.timeout(10):
            while self.server.state()["calls"]:
                await asyncio.sleep(0.005)


@asynccontextmanager
async def running(num_recognisers):
    server = SidecarServer(MAKER, None, num_recognisers)
    sidecar = Sidecar(server, await server.listen("127.0.0.1", 0))
    yield sidecar
    await sidecar.host.aclose()
    sidecar.listening.close()
    await sidecar.listening.wait_closed()


@pytest.fixture
async def sidecar():
    async with running(200) as sidecar:
        yield sidecar


@pytest.fixture
async def two_places(monkeypatch):
    """A sidecar for two calls whose recognisers may hang."""
    monkeypatch.setattr(sidecar_call, "RESET_S", 0.05)
    hang_ends.clear()
    async with running(2) as sidecar:
        yield sidecar
        hang_ends.set()
        await eventually(lambda: not sidecar.server.state()["num_hanging"], 5, "the threads end")


async def hears(listener, *values):
    await listener.say(*values)
    await listener.ears.commit()
    return (await listener.until(FinalText)).text


async def test_utterances_are_heard_one_after_another(sidecar):
    listener = await Listener.open(sidecar.host)
    assert await hears(listener, 1, 2) == "1 2"
    assert await hears(listener, 3) == "3"
    await listener.aclose()
    await sidecar.until_free()
    assert sidecar.server.state()["num_idle"] == 1


async def test_the_debug_route_lists_live_recognisers_and_what_waits_for_them(sidecar):
    listener = await Listener.open(sidecar.host)
    await listener.say(1)
    await listener.until(PartialText)
    (call,) = (await sidecar.debug())["calls"]
    assert call["is_live"]
    assert call["is_connected"]
    assert (call["generation"], call["buffered_bytes"]) == (1, 0)
    await listener.say(*[SLOW] * 5)
    await listener.until(PartialText)
    assert (await sidecar.debug())["calls"][0]["buffered_bytes"] > 0
    await listener.ears.abort(1)
    (call,) = (await sidecar.debug())["calls"]
    assert not call["is_live"]
    assert call["buffered_bytes"] == 0
    await listener.aclose()
    await sidecar.until_free()
    assert (await sidecar.debug())["calls"] == []


async def test_an_abort_waits_for_one_frame_and_not_for_those_behind_it(sidecar):
    listener = await Listener.open(sidecar.host)
    await listener.say(*[SLOW] * 40)
    await listener.until(PartialText)
    began_s = time.monotonic()
    aborted = await listener.ears.abort(1)
    assert time.monotonic() - began_s < 20 * SLOW_S  # of 40
    assert began_s <= aborted.aborted_at_s <= aborted.freed_at_s
    listener.events.clear()
    assert await hears(listener, 5) == "5"
    assert not any(event.generation == 1 for event in listener.events)
    await listener.aclose()


async def test_an_error_of_one_call_is_no_error_of_another(sidecar):
    one, other = await Listener.open(sidecar.host), await Listener.open(sidecar.host)
    await one.say(RAISES)
    assert (await one.until(HearingFailed)).code == "recogniser_failed"
    assert await hears(other, 2) == "2"
    for listener in (one, other):
        await listener.aclose()


async def test_a_sidecar_that_ends_fails_the_utterance_and_one_that_is_back_hears_the_next(sidecar):
    listener = await Listener.open(sidecar.host)
    await listener.say(1)
    await listener.until(PartialText)
    sidecar.listening.close()
    assert (await listener.until(HearingFailed)).code == "recogniser_died"
    await sidecar.listening.wait_closed()
    await listener.ears.commit()
    again = await sidecar.server.listen("127.0.0.1", sidecar.port)
    assert await hears(listener, 2) == "2"
    await listener.aclose()
    again.close()
    await again.wait_closed()


async def test_two_hundred_calls_that_are_dropped_at_once_leave_nothing_behind(sidecar):
    listeners = [await Listener.open(sidecar.host) for _ in range(200)]
    await asyncio.gather(*(listener.say(1, 2) for listener in listeners))
    for listener in listeners:
        await listener.until(PartialText)
    await asyncio.gather(*(listener.aclose() for listener in listeners))
    await sidecar.until_free()
    state = sidecar.server.state()
    assert state["calls"] == []
    assert state["num_idle"] == 200
    last = await Listener.open(sidecar.host)
    assert await hears(last, 9) == "9"
    await last.aclose()


async def test_a_recogniser_that_hangs_gives_its_place_to_another(two_places):
    listener = await Listener.open(two_places.host, settings=HearingSettings(hang_s=0.5))
    other = await Listener.open(two_places.host)
    await listener.say(HANGS)
    assert (await listener.until(HearingFailed)).code == "recogniser_hung"
    await listener.ears.commit()
    assert await hears(listener, 3) == "3"
    assert (await two_places.debug())["num_hanging"] == 1
    assert await hears(other, 4) == "4"
    for each in (listener, other):
        await each.aclose()


async def test_a_recogniser_that_was_only_slow_is_used_again(two_places):
    listener = await Listener.open(two_places.host)
    await listener.say(HANGS)
    await two_places.until_busy()
    await listener.aclose()
    state = two_places.server.state
    await eventually(lambda: state()["num_hanging"] == 1, 5, "it is left behind")
    hang_ends.set()
    await eventually(lambda: state()["num_idle"] == 1, 5, "it is idle")
    assert not two_places.server.worn_out.is_set()


async def test_a_sidecar_all_of_whose_recognisers_hang_ends(two_places):
    for _ in range(2):
        listener = await Listener.open(two_places.host)
        await listener.say(HANGS)
        await two_places.until_busy()
        await listener.aclose()
    await asyncio.wait_for(two_places.server.worn_out.wait(), 5)


async def test_a_call_too_many_is_refused():
    async with running(1) as sidecar:
        listener = await Listener.open(sidecar.host)
        await eventually(lambda: sidecar.server.state()["calls"], 5, "the call is there")
        with pytest.raises(Overloaded):
            await Listener.open(sidecar.host)
        await listener.aclose()


async def test_a_sidecar_that_is_not_there_is_told():
    with pytest.raises(Unavailable, match="does not answer"):
        await SidecarHost("ws://127.0.0.1:1").lease()


async def test_other_paths_are_refused(sidecar):
    async with httpx.AsyncClient(trust_env=False) as client:
        assert (await client.get(f"http://127.0.0.1:{sidecar.port}/")).status_code == 404


@pytest.mark.parametrize("rubbish", ["hello", b"\xff" * 40, b""])
async def test_rubbish_ends_its_own_connection_alone(sidecar, rubbish):
    listener = await Listener.open(sidecar.host)
    async with connect(f"ws://127.0.0.1:{sidecar.port}/recognise", proxy=None) as socket:
        await socket.recv()
        await socket.send(rubbish)
        await asyncio.wait_for(socket.wait_closed(), 5)
    assert await hears(listener, 1) == "1"
    await listener.aclose()
