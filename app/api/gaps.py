"""Says when a stream that owes sound needs a filler, a little silence: agent frameworks give a
stream up after 3 s without sound, and throw away the sound that comes later. Knows nothing about
vendors or transports.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Protocol

LATE_S = 1.5  # of a listener who has nothing left to play
LATEST_S = 2.5  # of any listener: a paced stream rests for two seconds while its listener plays
LOOK_EVERY_S = 0.25


class Owing(Protocol):
    """A stream, as far as its gaps go."""

    is_done: bool

    @property
    def heard_s(self) -> float:
        """The length of the sound that was sent so far, without fillers."""

    @property
    def owes_sound(self) -> bool:
        """Also while text waits for the end of its sentence: its client waits already."""


class GapClock:
    """When a filler is due. Pure: the time is given."""

    def __init__(self, now_s: float) -> None:
        self._since_s = now_s
        self._heard_s = 0.0
        self._runs_dry_s = now_s  # when the listener has played all that was sent

    def is_due(self, now_s: float, heard_s: float, *, is_owed: bool) -> bool:
        """`heard_s`: as that of Owing. True starts the next gap."""
        if heard_s != self._heard_s:
            self._runs_dry_s = max(self._runs_dry_s, now_s) + heard_s - self._heard_s
        if not is_owed or heard_s != self._heard_s:
            self._since_s, self._heard_s = now_s, heard_s
            return False
        late_s = LATE_S if now_s >= self._runs_dry_s else LATEST_S
        if now_s - self._since_s < late_s:
            return False
        self._since_s = now_s
        return True


async def fill_gaps(stream: Owing, send: Callable[[], Awaitable[None]]) -> None:
    """Until it is cancelled. `send` sends the filler."""
    loop = asyncio.get_running_loop()
    clock = GapClock(loop.time())
    while not stream.is_done:
        await asyncio.sleep(LOOK_EVERY_S)
        if clock.is_due(loop.time(), stream.heard_s, is_owed=stream.owes_sound):
            await send()
