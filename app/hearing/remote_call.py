"""The hearing of a call that another process serves (app/hearing/call_server.py).

Implements app.hearing.ears.Hearing and Ears. Events that sound causes may come later than `accept`
returns. Where the other end is lost, every method raises Unavailable, and so do the events. Knows
nothing about how an address is found.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager, suppress
from itertools import count
from typing import Any

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, WebSocketException

from app.errors import ServeError, Unavailable
from app.hearing.call_messages import Answer, CallAddress, Order, Welcome, machine_id, read_told
from app.hearing.ears import Aborted, HearingEvent, SoundFormat, TurnDetection

MAX_FRAME_BYTES = 4 * 1024**2
CONNECT_S = 5.0
ANSWER_S = 10.0  # an order that is not answered within this time: the call is lost

Lease = Callable[[], AbstractAsyncContextManager[CallAddress]]  # of a place for one call


class RemoteHearing:
    """Implements app.hearing.ears.Hearing."""

    def __init__(self, lease: Lease) -> None:
        """`lease`: raises Overloaded, Unavailable."""
        self._lease = lease

    async def open_call(self, sound: SoundFormat, turns: TurnDetection | None) -> "RemoteEars":
        async with AsyncExitStack() as stack:
            address = await stack.enter_async_context(self._lease())
            connection = await stack.enter_async_context(_connected(address))
            ears = RemoteEars(connection)
            stack.push_async_callback(ears.stop)
            await ears.begin(sound, turns)
            ears.own(stack.pop_all())
        return ears

    async def aclose(self) -> None:
        """Holds nothing."""


@asynccontextmanager
async def _connected(address: CallAddress) -> AsyncIterator[ClientConnection]:
    """Raises Unavailable where the socket of the call cannot be opened."""
    try:
        connection = await connect(
            address.url,
            additional_headers={"Authorization": f"Bearer {address.token}"},
            compression=None,
            proxy=None,
            max_size=MAX_FRAME_BYTES,
            open_timeout=CONNECT_S,
            ping_interval=5,
            ping_timeout=10,
            close_timeout=1,
        )
    except (OSError, WebSocketException) as error:
        raise _lost() from error
    try:
        yield connection
    finally:
        await connection.close()


class RemoteEars:
    """Implements app.hearing.ears.Ears."""

    def __init__(self, connection: ClientConnection) -> None:
        self._connection = connection
        self._numbers = count(1)
        self._answers: dict[int, asyncio.Future[Answer]] = {}
        self._events: asyncio.Queue[HearingEvent | ServeError | None] = asyncio.Queue()
        self._shift_s = 0.0
        self._is_closed = False
        self._owned = AsyncExitStack()
        self._reading = asyncio.ensure_future(self._read())

    async def begin(self, sound: SoundFormat, turns: TurnDetection | None) -> None:
        """Raises what the other end's `open_call` does, as Unavailable."""
        told = await self._ask("open", sound=sound, turns=turns)
        welcome = Welcome(**told)
        if not welcome.machine or welcome.machine != machine_id():
            self._shift_s = time.monotonic() - welcome.now_s

    def own(self, stack: AsyncExitStack) -> None:
        """What is freed with the call."""
        self._owned = stack

    async def accept(self, sound: bytes) -> None:
        await self._send(sound)

    async def events(self) -> AsyncIterator[HearingEvent]:
        while (event := await self._events.get()) is not None:
            if isinstance(event, ServeError):
                raise event
            yield event

    async def configure(self, sound: SoundFormat, turns: TurnDetection | None) -> int | None:
        forgotten: int | None = await self._ask("configure", sound=sound, turns=turns)
        return forgotten

    async def commit(self) -> int | None:
        generation: int | None = await self._ask("commit")
        return generation

    async def clear(self) -> int | None:
        forgotten: int | None = await self._ask("clear")
        return forgotten

    async def abort(self, up_to: int) -> Aborted:
        told = await self._ask("abort", up_to=up_to)
        aborted = Aborted(**told)
        return Aborted(
            aborted.up_to, self._here(aborted.aborted_at_s), self._here(aborted.freed_at_s)
        )

    async def aclose(self) -> None:
        if not self._is_closed:
            self._is_closed = True
            self._events.put_nowait(None)
            await self._owned.aclose()

    async def stop(self) -> None:
        self._reading.cancel()
        await asyncio.wait({self._reading})

    def _here(self, at_s: float | None) -> float | None:
        return None if at_s is None else at_s + self._shift_s

    async def _ask(self, do: str, **fields: Any) -> Any:
        number = next(self._numbers)
        answer = self._answers[number] = asyncio.get_running_loop().create_future()
        try:
            await self._send(Order(do, number, **fields).text())
            async with asyncio.timeout(ANSWER_S):
                return (await answer).result()
        except TimeoutError:
            raise _lost() from None
        finally:
            del self._answers[number]

    async def _send(self, message: str | bytes) -> None:
        try:
            await self._connection.send(message)
        except ConnectionClosed as error:
            raise _lost() from error

    async def _read(self) -> None:
        with suppress(ConnectionClosed):
            async for message in self._connection:
                told = read_told(str(message), self._shift_s)
                if not isinstance(told, Answer):
                    self._events.put_nowait(told)
                elif (answer := self._answers.get(told.number)) is not None and not answer.done():
                    answer.set_result(told)
        self._events.put_nowait(_lost())
        for answer in self._answers.values():
            if not answer.done():
                answer.set_exception(_lost())


def _lost() -> Unavailable:
    return Unavailable("the hearing of this call was lost", code="hearing_lost")
