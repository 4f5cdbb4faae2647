"""Clients that stop reading: found at the socket, told to the application, and cut off.

Two ASGI middlewares, because Ray Serve has two processes between the application and the socket,
and passes messages on without back-pressure:

    application ── ReaderLimit ── Ray Serve ── ReaderWatch ── uvicorn ── socket

`ReaderWatch` wraps uvicorn's application, in the proxy or, behind HAProxy, in the replica: Serve
takes it from `middlewares` below. It keeps the buffers of the socket small, and tells the
application in the stream of received messages when the socket takes nothing. `ReaderLimit` lets a
`send` wait while that is so. The first message of an answer tells `ReaderWatch` the limit. Without
`ReaderWatch`, a `send` behind Serve's own proxy never waits. Knows nothing about sessions.
"""

import asyncio
import socket
import struct
import time
from collections import deque
from collections.abc import MutableMapping
from contextlib import suppress
from typing import Any

from starlette.middleware import Middleware
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.api.flood_refusals import FloodRefusals
from app.errors import ReaderStalled
from app.sessions.tasks import cancel_and_wait

TELL_AFTER_S = 0.5  # a message that the socket has not taken after this time is told
GRACE_S = 2.0  # in which the application ends its answer, before the socket is closed
BUFFER_BYTES = 16_384  # of sound that wait in uvicorn, and in the kernel
PART_BYTES = 65_536  # of what is whole already: the client must take each part within the limit

_TOLD = "chatterbox.reader"  # the type of what is told
_LIMIT = "chatterbox.stalled_reader_s"  # in the first message of an answer
_FIRST = ("http.response.start", "websocket.accept")
_CONNECTIONS = ("http", "websocket")
_RESET = struct.pack("ii", 1, 0)  # SO_LINGER: what is unsent is dropped


def middlewares() -> list[Middleware]:
    """For RAY_SERVE_HTTP_PROXY_CALLBACK_IMPORT_PATH."""
    return [Middleware(FloodRefusals), Middleware(ReaderWatch)]  # the last one is outermost


class ReaderLimit:
    """A message that the client does not take within `stalled_s` raises ReaderStalled."""

    def __init__(self, app: ASGIApp, *, stalled_s: float) -> None:
        self._app = app
        self._stalled_s = stalled_s

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in _CONNECTIONS:
            await self._app(scope, receive, send)
            return
        reader = _Reader(receive, send, self._stalled_s)
        await self._app(scope, reader.receive, reader.send)


class _Reader:
    """One connection, as the application sees it."""

    def __init__(self, receive: Receive, send: Send, stalled_s: float) -> None:
        self._receive = receive
        self._send = send
        self._stalled_s = stalled_s
        self._takes = asyncio.Event()
        self._takes.set()
        self._until_s = 0.0  # while the socket takes nothing: when that has lasted too long

    async def receive(self) -> Message:
        while (message := await self._receive())["type"] == _TOLD:
            if message["takes"]:
                self._takes.set()
            else:
                self._until_s = time.monotonic() - TELL_AFTER_S + self._stalled_s
                self._takes.clear()
        return message

    async def send(self, message: Message) -> None:
        if message["type"] in _FIRST:
            message = {**message, _LIMIT: self._stalled_s}
        left_s = self._stalled_s if self._takes.is_set() else self._until_s - time.monotonic()
        try:
            async with asyncio.timeout(left_s) as limit:
                await self._takes.wait()
                await self._send(message)
        except TimeoutError:
            if not limit.expired():
                raise
            text = f"the client took nothing for {self._stalled_s:g} s (limits.stalled_reader_s)"
            raise ReaderStalled(text) from None


class ReaderWatch:
    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in _CONNECTIONS:
            await self._app(scope, receive, send)
            return
        connection = _Connection(receive, send)
        try:
            await self._app(scope, connection.receive, connection.send)
        finally:
            await connection.end()


class _Connection:
    """One connection, beside its socket."""

    def __init__(self, receive: Receive, send: Send) -> None:
        self._receive = receive
        self._send = send
        self._transport = _transport_of(send)
        self._told: deque[Message] = deque()
        self._has_told = asyncio.Event()
        self._receiving: asyncio.Task[MutableMapping[str, Any]] | None = None
        self._stalled_s: float | None = None  # until the application has told the limit
        self._is_blocked = False
        if self._transport is not None:
            _keep_buffers_small(self._transport)

    async def receive(self) -> Message:
        while not self._told:
            self._has_told.clear()
            receiving = self._receiving = self._receiving or asyncio.ensure_future(self._receive())
            telling = asyncio.ensure_future(self._has_told.wait())
            try:
                await asyncio.wait({receiving, telling}, return_when=asyncio.FIRST_COMPLETED)
            finally:
                telling.cancel()
            if receiving.done():
                self._receiving = None
                return receiving.result()
        return self._told.popleft()

    async def send(self, message: Message) -> None:
        if message["type"] in _FIRST:
            self._stalled_s = message.get(_LIMIT)
        if self._stalled_s is None:
            await self._send(message)
            return
        telling = asyncio.get_running_loop().call_later(TELL_AFTER_S, self._tell, False)
        try:
            async with asyncio.timeout(self._stalled_s + GRACE_S):
                await self._send(message)
        finally:
            telling.cancel()
        if self._is_blocked:
            self._tell(True)

    async def end(self) -> None:
        """The application has ended. Bytes that a stalled client never takes would keep its socket
        open."""
        if self._receiving is not None:
            await cancel_and_wait(self._receiving)
        if self._is_blocked and self._transport is not None:
            _set_option(self._transport, socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
            self._transport.abort()

    def _tell(self, takes: bool) -> None:
        self._is_blocked = not takes
        self._told.append({"type": _TOLD, "takes": takes})
        self._has_told.set()


def _transport_of(send: Send) -> asyncio.Transport | None:
    """The connection's. ASGI has no name for it: uvicorn's `send` is a method of an object that
    holds it."""
    transport: asyncio.Transport | None
    transport = getattr(getattr(send, "__self__", None), "transport", None)
    return transport


def _keep_buffers_small(transport: asyncio.Transport) -> None:
    """So that a `send` waits soon after the client has stopped reading. The kernel alone would take
    megabytes, half a minute of speech."""
    transport.set_write_buffer_limits(high=BUFFER_BYTES)
    _set_option(transport, socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, BUFFER_BYTES)


def _set_option(transport: asyncio.Transport, level: int, name: int, value: int | bytes) -> None:
    """Of its socket; uvloop's own does not let its options be set."""
    connection = transport.get_extra_info("socket")
    if connection is not None and connection.family != socket.AF_UNIX:
        with suppress(OSError), socket.socket(fileno=socket.dup(connection.fileno())) as same:
            same.setsockopt(level, name, value)
