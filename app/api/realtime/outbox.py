"""The events that wait to be written to the socket, in order.

Nothing that posts an event waits for the socket, so a stop is never behind a client that does not
read. Sound waits until it is written, and a muted item's sound is not written at all. One task
writes. Knows nothing about what events mean.
"""

import asyncio
import json
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any

from app.api.errors import error_of
from app.api.realtime.ids import new_id
from app.errors import ReaderStalled

MAX_WAITING = 4096  # events; a client with more does not read

Write = Callable[[str], Awaitable[None]]


class _Waiting:
    """`item_id`: of sound, which its writing ends."""

    def __init__(self, event: dict[str, Any], item_id: str | None = None) -> None:
        self.event = event
        self.item_id = item_id
        self.written: asyncio.Future[None] = asyncio.get_running_loop().create_future()


class EventOutbox:
    def __init__(self, write: Write) -> None:
        self._write = write
        self._waiting: deque[_Waiting] = deque()
        self._has_any = asyncio.Event()
        self._muted: set[str] = set()
        self._is_closed = False
        self._writing: _Waiting | None = None

    def post(self, kind: str, /, **fields: object) -> None:
        """Raises ReaderStalled where too much waits already."""
        if len(self._waiting) >= MAX_WAITING:
            raise ReaderStalled(f"{MAX_WAITING} events wait for the client")
        self._put(_Waiting({"type": kind, "event_id": new_id("event"), **fields}))

    def refuse(self, error: Exception, event_id: str | None = None) -> None:
        """`event_id`: of the client's event that caused the error."""
        self.post("error", error={**error_of(error), "event_id": event_id})

    async def sound(self, item_id: str, kind: str, /, **fields: object) -> None:
        """Returns when the sound is written, or was dropped because its item is muted."""
        waiting = _Waiting({"type": kind, "event_id": new_id("event"), **fields}, item_id)
        self._put(waiting)
        await waiting.written

    def mute(self, item_id: str) -> None:
        """Of this item no more sound is written."""
        self._muted.add(item_id)

    async def silent(self, item_id: str) -> None:
        """Returns when no sound of a muted item is being written any more."""
        writing = self._writing
        if writing is not None and writing.item_id == item_id:
            await asyncio.wait({writing.written})

    async def run(self) -> None:
        """Writes until it is cancelled, or `finish` was called. Raises what the socket raises."""
        while True:
            while self._waiting:
                await self._write_next(self._waiting.popleft())
            if self._is_closed:
                return
            self._has_any.clear()
            await self._has_any.wait()

    def finish(self) -> None:
        """`run` returns once everything is written."""
        self._is_closed = True
        self._has_any.set()

    def _put(self, waiting: _Waiting) -> None:
        self._waiting.append(waiting)
        self._has_any.set()

    async def _write_next(self, waiting: _Waiting) -> None:
        is_dropped = waiting.written.cancelled() or waiting.item_id in self._muted
        self._writing = waiting
        try:
            if not is_dropped:
                await self._write(json.dumps(waiting.event))
        finally:
            self._writing = None
            if not waiting.written.done():
                waiting.written.set_result(None)
