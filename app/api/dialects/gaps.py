"""Fills the gaps in which a context owes sound: agent frameworks give a context up after 3 s
without sound, and throw away the sound that comes later.

The filler is 20 ms of silence, which goes out beside the stream of the context. So this is only for
formats without a state: raw samples and G.711. Knows nothing about vendors.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Protocol

LATE_S = 1.5  # text may wait one second before it is owed, and 3 s is the bound
LOOK_EVERY_S = 0.25


class Owing(Protocol):
    """A context, as far as its gaps go."""

    is_done: bool

    @property
    def audio_s(self) -> float: ...

    @property
    def is_idle(self) -> bool: ...


class GapClock:
    """When a filler is due. Pure: the time is given."""

    def __init__(self, now_s: float) -> None:
        self._since_s = now_s
        self._audio_s = 0.0

    def is_due(self, now_s: float, audio_s: float, *, is_idle: bool) -> bool:
        """`audio_s`: the sound that was sent so far. True starts the next gap."""
        if is_idle or audio_s != self._audio_s:
            self._since_s, self._audio_s = now_s, audio_s
            return False
        if now_s - self._since_s < LATE_S:
            return False
        self._since_s = now_s
        return True


async def fill_gaps(context: Owing, send: Callable[[], Awaitable[None]]) -> None:
    """Until it is cancelled. `send` sends the filler."""
    loop = asyncio.get_running_loop()
    clock = GapClock(loop.time())
    while not context.is_done:
        await asyncio.sleep(LOOK_EVERY_S)
        if clock.is_due(loop.time(), context.audio_s, is_idle=context.is_idle):
            await send()
