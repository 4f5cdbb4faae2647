"""Fills the gaps in which a context owes sound: agent frameworks give a context up after 3 s
without sound, and throw away the sound that comes later.

The filler is 20 ms of silence, which goes out beside the stream of the context. So this is only for
formats without a state: raw samples and G.711. Knows nothing about vendors.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Protocol

from app.api.speech_job import SpeechOptions

LATE_S = 1.5  # of a listener who has nothing left to play; text may wait a second before it is owed
LATEST_S = 2.5  # of any listener: a paced stream rests for two seconds while its listener plays
LOOK_EVERY_S = 0.25


class Owing(Protocol):
    """A context, as far as its gaps go."""

    is_done: bool

    @property
    def options(self) -> SpeechOptions: ...

    @property
    def audio_s(self) -> float:
        """Sent so far, at speed 1."""

    @property
    def is_idle(self) -> bool: ...


class GapClock:
    """When a filler is due. Pure: the time is given."""

    def __init__(self, now_s: float) -> None:
        self._since_s = now_s
        self._heard_s = 0.0
        self._runs_dry_s = now_s  # when the listener has played all that was sent

    def is_due(self, now_s: float, heard_s: float, *, is_idle: bool) -> bool:
        """`heard_s`: the length of the sound that was sent so far. True starts the next gap."""
        if heard_s != self._heard_s:
            self._runs_dry_s = max(self._runs_dry_s, now_s) + heard_s - self._heard_s
        if is_idle or heard_s != self._heard_s:
            self._since_s, self._heard_s = now_s, heard_s
            return False
        late_s = LATE_S if now_s >= self._runs_dry_s else LATEST_S
        if now_s - self._since_s < late_s:
            return False
        self._since_s = now_s
        return True


async def fill_gaps(context: Owing, send: Callable[[], Awaitable[None]]) -> None:
    """Until it is cancelled. `send` sends the filler."""
    loop = asyncio.get_running_loop()
    clock = GapClock(loop.time())
    while not context.is_done:
        await asyncio.sleep(LOOK_EVERY_S)
        heard_s = context.audio_s / context.options.speed
        if clock.is_due(loop.time(), heard_s, is_idle=context.is_idle):
            await send()
