"""Serves the hearing of calls to other processes: each call has a socket of its own, opened by a
token.

A call ends with its socket or with its token. Knows nothing about Ray, nor how the other process
learns of an address.
"""

import asyncio
import secrets
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import asdict

from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed

from app.errors import ServeError
from app.hearing.call_messages import (
    Answer,
    CallAddress,
    Order,
    Welcome,
    event_text,
    failed,
    machine_id,
    read_order,
)
from app.hearing.ears import Ears, Hearing

MAX_FRAME_BYTES = 4 * 1024**2
UNKNOWN_CALL = 4404  # close code
_AT_ONCE = ("abort",)  # orders that do not wait behind sound


class CallServer:
    """Used by one event loop."""

    def __init__(self, hearing: Hearing) -> None:
        self._hearing = hearing
        self._server: Server | None = None
        self._expected: set[str] = set()  # tokens that nobody has used
        self._connections: dict[str, ServerConnection] = {}  # by token

    @property
    def num_calls(self) -> int:
        return len(self._connections)

    async def listen(self, host: str) -> None:
        """On a free port. Raises OSError."""
        self._server = await serve(
            self._answer_call,
            host,
            0,
            compression=None,
            max_size=MAX_FRAME_BYTES,
            ping_interval=5,
            ping_timeout=10,
        )

    @asynccontextmanager
    async def expected(self) -> AsyncIterator[CallAddress]:
        """While the context is open, one call may be opened at the address, and goes on."""
        assert self._server is not None
        host, port = next(iter(self._server.sockets)).getsockname()[:2]
        token = secrets.token_urlsafe(24)
        self._expected.add(token)
        try:
            yield CallAddress(f"ws://{host}:{port}", token)
        finally:
            self._expected.discard(token)
            if (connection := self._connections.get(token)) is not None:
                await connection.close()

    async def aclose(self) -> None:
        if self._server is not None:
            self._server.close()
            await self._server.wait_closed()
        await self._hearing.aclose()

    async def _answer_call(self, connection: ServerConnection) -> None:
        request = connection.request
        header = "" if request is None else request.headers.get("Authorization", "")
        token = header.removeprefix("Bearer ")
        if token not in self._expected:
            await connection.close(UNKNOWN_CALL, "no such call is expected")
            return
        self._expected.discard(token)
        self._connections[token] = connection
        try:
            with suppress(ConnectionClosed):  # the other end has left
                await self._serve_call(connection)
        finally:
            del self._connections[token]

    async def _serve_call(self, connection: ServerConnection) -> None:
        """The first order opens the call."""
        opening = read_order(str(await connection.recv()))
        try:
            assert opening.sound is not None
            ears = await self._hearing.open_call(opening.sound, opening.turns)
        except ServeError as error:
            await connection.send(failed(opening.number, error).text())
            return
        try:
            welcome = asdict(Welcome(machine_id(), time.monotonic()))
            await connection.send(Answer(opening.number, welcome).text())
            async with asyncio.TaskGroup() as group:
                telling = group.create_task(_tell(ears, connection))
                await _Orders(ears, connection, group).obey_all()
                telling.cancel()
        except* ConnectionClosed:
            pass  # the other end has left
        finally:
            await ears.aclose()


class _Orders:
    """The orders of one call. Sound and the orders behind it take turns."""

    def __init__(self, ears: Ears, connection: ServerConnection, group: asyncio.TaskGroup) -> None:
        self._ears = ears
        self._connection = connection
        self._group = group
        self._waiting: asyncio.Queue[bytes | Order] = asyncio.Queue(maxsize=512)

    async def obey_all(self) -> None:
        """Returns when the other end has left."""
        obeying = self._group.create_task(self._obey_waiting())
        async for message in self._connection:
            if isinstance(message, bytes):
                await self._waiting.put(message)
            elif (order := read_order(message)).do in _AT_ONCE:
                self._group.create_task(self._obey(order))
            else:
                await self._waiting.put(order)
        obeying.cancel()

    async def _obey_waiting(self) -> None:
        while True:
            waiting = await self._waiting.get()
            if isinstance(waiting, bytes):
                await self._ears.accept(waiting)
            else:
                await self._obey(waiting)

    async def _obey(self, order: Order) -> None:
        try:
            answer = Answer(order.number, await self._value(order))
        except ServeError as error:
            answer = failed(order.number, error)
        await self._connection.send(answer.text())

    async def _value(self, order: Order) -> object:
        match order.do:
            case "configure":
                assert order.sound is not None
                return await self._ears.configure(order.sound, order.turns)
            case "commit":
                return await self._ears.commit()
            case "clear":
                return await self._ears.clear()
            case "abort":
                return asdict(await self._ears.abort(order.up_to))
        return None


async def _tell(ears: Ears, connection: ServerConnection) -> None:
    async for event in ears.events():
        await connection.send(event_text(event))
