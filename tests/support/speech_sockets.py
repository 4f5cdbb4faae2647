"""A client of the speech socket, and a server with a fake synthesizer behind it."""

import asyncio
import base64
import json
import struct
from contextlib import asynccontextmanager

import websockets

from app.api.errors import uncounted
from app.key_settings import SocketLimits
from tests.support.api_clients import serving

WAIT_S = 30
ENDS = ("done", "cancelled", "error")


class Client:
    """Sends messages, and reads the messages of the server with the names of their contexts."""

    def __init__(self, socket):
        self.socket = socket
        self.streams = {}

    async def send(self, kind, context_id=None, **fields):
        named = {} if context_id is None else {"context_id": context_id}
        await self.socket.send(json.dumps({"type": kind, **named, **fields}))

    async def start(self, context_id="c", **fields):
        await self.send("start", context_id, **{"voice": "default", **fields})

    async def next(self):
        async with asyncio.timeout(WAIT_S):
            frame = await self.socket.recv()
        if isinstance(frame, bytes):
            (number,) = struct.unpack(">I", frame[:4])
            named = {"context_id": self.streams[number], "stream": number}
            return {"type": "audio", **named, "bytes": frame[4:]}
        message = json.loads(frame)
        if message["type"] == "started":
            self.streams[message["stream"]] = message["context_id"]
        if message["type"] == "audio":
            message["bytes"] = base64.b64decode(message["audio"])
        return message

    async def until(self, *kinds, context_id=None):
        """Messages up to the first of these kinds (and this context)."""
        heard = []
        while True:
            try:
                heard.append(await self.next())
            except TimeoutError:
                got = [message["type"] for message in heard]
                raise AssertionError(f"no {kinds} within {WAIT_S} s; heard {got}") from None
            mine = context_id in (None, heard[-1].get("context_id"))
            if mine and heard[-1]["type"] in kinds:
                return heard


def audio(messages, context_id="c"):
    mine = [m for m in messages if m["type"] == "audio" and m["context_id"] == context_id]
    return b"".join(message["bytes"] for message in mine)


@asynccontextmanager
async def connected(synthesizer, limits=None, refused=uncounted, **bounds):
    """A client of the socket of a server in a thread of its own."""
    with serving(synthesizer, limits, refused=refused, sockets=SocketLimits(**bounds)) as url:
        address = f"{url.replace('http', 'ws')}/v1/audio/speech/stream"
        async with websockets.connect(address) as socket:
            yield Client(socket)
