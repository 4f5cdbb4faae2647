"""A client that leaves, in every state of a session: everything is freed."""

import asyncio
import gc

import pytest
import websockets

from app.api.realtime.session import RealtimeSession
from app.key_settings import AdmissionSettings
from tests.support.eventually import eventually
from tests.support.fakes import FakeSynthesizer
from tests.support.realtime_client import realtime_client, realtime_server

WITHIN_S = 30


async def only_listening(client, synthesizer):
    await client.ears()


async def in_an_utterance(client, synthesizer):
    (await client.ears()).begins()
    await client.until("input_audio_buffer.speech_started")


async def waiting_for_the_text(client, synthesizer):
    ears = await client.ears()
    ears.begins()
    ears.ends()
    await client.until("input_audio_buffer.committed")


async def while_the_model_thinks(client, synthesizer):
    await client.ears()
    client.model._replies = [[...]]
    await client.send("response.create")
    await client.until("response.created")


async def while_it_speaks(client, synthesizer):
    await client.ears()
    synthesizer.hold_at = 1
    await client.send("response.create")
    await client.until("response.output_audio.delta")


async def in_a_barge_in(client, synthesizer):
    await while_it_speaks(client, synthesizer)
    client.hearing.calls[-1].begins()


STATES = (
    only_listening,
    in_an_utterance,
    waiting_for_the_text,
    while_the_model_thinks,
    while_it_speaks,
    in_a_barge_in,
)


def is_free(hearing, model, synthesizer):
    num_asked = len(model.requests)
    return (
        all(ears.is_closed for ears in hearing.calls)
        and sum(model.ended.values()) == num_asked
        and len(synthesizer.ended) == len(synthesizer.requests)
    )


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("how", ["closes", "breaks off"])
async def test_everything_is_freed(synthesizer, state, how):
    async with realtime_client(synthesizer) as client:
        await state(client, synthesizer)
        if how == "closes":
            await client.socket.close()
        else:
            client.socket.transport.abort()
        world = client.hearing, client.model, synthesizer
        await eventually(lambda: is_free(*world), WITHIN_S, "everything is freed")


def num_sessions():
    """Sessions of this process that anything still holds."""
    return sum(type(each) is RealtimeSession for each in gc.get_objects())


@pytest.mark.long
async def test_two_hundred_sessions_that_are_dropped_at_once_leave_nothing():
    synthesizer = FakeSynthesizer(hold_at=1)
    unbounded = AdmissionSettings(requests_per_s=None)
    async with realtime_server(synthesizer, admission=unbounded) as world:
        address, hearing, model, _ = world
        sockets = await asyncio.gather(*(websockets.connect(address) for _ in range(200)))
        for socket in sockets:
            await socket.send('{"type": "input_audio_buffer.append", "audio": "AAAA"}')
            await socket.send('{"type": "response.create"}')
        await eventually(lambda: len(synthesizer.requests) == 200, 60, "all speak")
        await eventually(lambda: len(hearing.calls) == 200, 60, "all are heard")
        for socket in sockets:
            socket.transport.abort()
        await eventually(lambda: is_free(hearing, model, synthesizer), 60, "all is freed")
        await eventually(lambda: gc.collect() >= 0 and num_sessions() == 0, 20, "none is held")
