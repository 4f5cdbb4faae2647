"""A client of the realtime session, and a server with a fake synthesizer, scripted hearing and a
scripted language model behind it. Every event of the server is checked against OpenAI's types."""

import asyncio
import base64
import json
from contextlib import asynccontextmanager
from typing import get_args

import websockets
from openai.types.realtime import RealtimeServerEvent

from app.api.realtime.parts import RealtimeParts
from app.hearing.ears import TurnDetection
from app.key_settings import SocketLimits
from app.realtime_settings import RealtimeSettings
from tests.support.api_clients import serving
from tests.support.eventually import eventually
from tests.support.scripted_hearing import ScriptedHearing, ScriptedModel

WAIT_S = 30
OWN = ("response.interrupted",)
_UNION = get_args(RealtimeServerEvent)[0]
_EVENTS = {get_args(each.model_fields["type"].annotation)[0]: each for each in get_args(_UNION)}


class RealtimeClient:
    def __init__(self, socket, hearing, model, observer):
        """The last three: None where the server is not in the test's process."""
        self.socket = socket
        self.hearing = hearing
        self.model = model
        self.observer = observer

    async def send(self, kind, **fields):
        await self.socket.send(json.dumps({"type": kind, **fields}))

    async def say(self, seconds=0.1, rate=24_000):
        """Sends silence; the scripted ears hear what the test tells."""
        sound = base64.b64encode(bytes(2 * int(rate * seconds))).decode()
        await self.send("input_audio_buffer.append", audio=sound)

    async def ears(self):
        """The newest, once the server has opened it."""
        if not self.hearing.calls:
            await self.say()
        await eventually(lambda: self.hearing.calls, WAIT_S, "the hearing is open")
        return self.hearing.calls[-1]

    async def next(self):
        async with asyncio.timeout(WAIT_S):
            event = json.loads(await self.socket.recv())
        if event["type"] not in OWN:
            _EVENTS[event["type"]].model_validate(event)
        return event

    async def until(self, *kinds):
        """Events up to the first of these kinds."""
        heard = []
        while True:
            try:
                heard.append(await self.next())
            except TimeoutError:
                got = [event["type"] for event in heard]
                raise AssertionError(f"no {kinds} within {WAIT_S} s; heard {got}") from None
            if heard[-1]["type"] in kinds:
                return heard

    async def last(self, *kinds):
        return (await self.until(*kinds))[-1]

    async def update(self, **session):
        await self.send("session.update", session=session)
        return await self.last("session.updated", "error")


def kinds(events):
    """Of events in order; a run of deltas is one."""
    found = []
    for event in events:
        if not found or event["type"] != found[-1]:
            found.append(event["type"])
    return found


def sound(events):
    deltas = [e["delta"] for e in events if e["type"] == "response.output_audio.delta"]
    return b"".join(map(base64.b64decode, deltas))


class Observed:
    """Implements app.api.realtime.observer.RealtimeObserver."""

    def __init__(self):
        self.heard_s = 0.0
        self.utterances = []
        self.responses = []
        self.legs = []

    def heard(self, seconds):
        self.heard_s += seconds

    def utterance(self, outcome):
        self.utterances.append(outcome)

    def responded(self, outcome):
        self.responses.append(outcome)

    def interrupted(self, legs_ms):
        self.legs.append(legs_ms)


@asynccontextmanager
async def realtime_server(
    synthesizer,
    *replies,
    model=None,
    hearing=None,
    settings=None,
    turns=None,
    bounds=None,
    **options,
):
    """Yields the address of the socket, the hearing, the language model and the observer."""
    hearing = hearing or ScriptedHearing()
    model = model or ScriptedModel(*(replies or ("Hello there.",)))
    observer = Observed()
    turns = turns or TurnDetection()
    parts = RealtimeParts(hearing, model, settings or RealtimeSettings(), turns, observer)
    sockets = SocketLimits(**(bounds or {}))
    with serving(synthesizer, realtime=parts, sockets=sockets, **options) as url:
        address = f"{url.replace('http', 'ws')}/v1/realtime?model=gpt-realtime"
        yield address, hearing, model, observer


@asynccontextmanager
async def served_client(url, headers=None):
    """Of a served application. Past `session.created`."""
    address = f"{url.replace('http', 'ws')}/v1/realtime"
    async with websockets.connect(address, additional_headers=headers) as socket:
        client = RealtimeClient(socket, None, None, None)
        client.created = await client.next()
        yield client


@asynccontextmanager
async def realtime_client(synthesizer, *replies, headers=None, **options):
    """Past `session.created`."""
    async with (
        realtime_server(synthesizer, *replies, **options) as (address, *world),
        websockets.connect(address, additional_headers=headers) as socket,
    ):
        client = RealtimeClient(socket, *world)
        client.created = await client.next()
        yield client
