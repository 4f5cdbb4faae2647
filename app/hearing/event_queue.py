"""The events of one call on their way to its consumer. Events can be taken back until then."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable

from app.hearing.ears import HearingEvent


class EventQueue:
    """Used by one event loop, with one consumer."""

    def __init__(self) -> None:
        self._events: deque[HearingEvent] = deque()
        self._has_news = asyncio.Event()
        self._is_closed = False

    def put(self, event: HearingEvent) -> None:
        if not self._is_closed:
            self._events.append(event)
            self._has_news.set()

    def discard(self, is_unwanted: Callable[[HearingEvent], bool]) -> None:
        self._events = deque(event for event in self._events if not is_unwanted(event))

    def close(self) -> None:
        self._is_closed = True
        self._events.clear()
        self._has_news.set()

    async def all(self) -> AsyncIterator[HearingEvent]:
        """Until the queue is closed."""
        while not self._is_closed:
            while self._events:
                yield self._events.popleft()
            self._has_news.clear()
            if not self._is_closed:
                await self._has_news.wait()
