"""One segment of an engine's work as its listener hears it.

Used on the event loop of the listener. Knows nothing about the engine's thread.
"""

import asyncio
from collections.abc import Callable
from typing import Generic, NamedTuple, Protocol, Self, TypeVar

from app.core import Fault, FinishReason, SessionKey
from app.errors import OutOfMemory, ServeError, SynthesisFailed


class SegmentKey(NamedTuple):
    """One segment of one session."""

    key: SessionKey
    segment: int


class Item(Protocol):
    """A part of one segment's stream, made by an engine. The last part has a finish."""

    @property
    def key(self) -> SessionKey: ...
    @property
    def segment(self) -> int: ...
    @property
    def finish(self) -> FinishReason | None: ...
    @property
    def fault(self) -> Fault | None: ...


ItemT = TypeVar("ItemT", bound=Item)


class EngineStream(Generic[ItemT]):
    """The items of one segment, in order. Closing the stream before its end cancels the segment.

    Iteration raises OutOfMemory where the segment ended with that fault, and SynthesisFailed where
    it ended with another ERROR or the engine failed.
    """

    def __init__(
        self, name: str, queue: "asyncio.Queue[ItemT | None]", leave: Callable[[bool], None]
    ) -> None:
        """`name` is the engine's. None in `queue`: the engine has failed or stopped. `leave` is
        called once, at the end of the stream, with True where the segment had ended."""
        self._name = name
        self._queue = queue
        self._leave = leave
        self._left = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Idempotent; never waits."""
        self._end(finished=False)

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> ItemT:
        if self._left:
            raise StopAsyncIteration
        item = await self._queue.get()
        if item is None or item.finish is FinishReason.ERROR:
            self._end(finished=True)
            raise self._error(None if item is None else item.fault)
        if item.finish is not None:
            self._end(finished=True)
        return item

    def _error(self, fault: Fault | None) -> ServeError:
        if fault is Fault.OUT_OF_MEMORY:
            return OutOfMemory(f"the {self._name} engine has no memory left for this session")
        return SynthesisFailed(f"the {self._name} engine failed in this session")

    def _end(self, *, finished: bool) -> None:
        if not self._left:
            self._left = True
            self._leave(finished)
