"""A client of a vendor's socket, and a server with a fake synthesizer behind it."""

import asyncio
import json
from contextlib import asynccontextmanager

import websockets

from app.key_settings import SocketLimits
from tests.support.api_clients import serving

WAIT_S = 30


class VendorClient:
    """Sends JSON messages, and reads the server's: JSON as an object, binary as bytes."""

    def __init__(self, socket):
        self.socket = socket

    async def send(self, **message):
        await self.socket.send(json.dumps(message))

    async def next(self):
        async with asyncio.timeout(WAIT_S):
            frame = await self.socket.recv()
        return frame if isinstance(frame, bytes) else json.loads(frame)

    async def until(self, is_last):
        """Messages up to the first of which `is_last` is true."""
        heard = []
        while True:
            try:
                heard.append(await self.next())
            except TimeoutError:
                raise AssertionError(f"nothing more within {WAIT_S} s; heard {heard}") from None
            if is_last(heard[-1]):
                return heard

    async def silent_for(self, seconds):
        try:
            async with asyncio.timeout(seconds):
                frame = await self.socket.recv()
        except TimeoutError:
            return
        raise AssertionError(f"a message came: {frame[:200]}")


@asynccontextmanager
async def vendor_client(synthesizer, path, *, headers=None, limits=None, bounds=None, **options):
    """A client of the socket at `path` of a server in a thread of its own."""
    sockets = SocketLimits(**(bounds or {}))
    with serving(synthesizer, limits, sockets=sockets, **options) as url:
        address = f"{url.replace('http', 'ws')}{path}"
        async with websockets.connect(address, additional_headers=headers) as socket:
            yield VendorClient(socket)
