"""The wait for a change on one event loop. Knows nothing about what changes."""

import asyncio
import contextlib
from collections.abc import Callable


class Changes:
    """After each change, call `notify`."""

    def __init__(self) -> None:
        self._changed = asyncio.Condition()

    async def notify(self) -> None:
        async with self._changed:
            self._changed.notify_all()

    async def until(self, is_so: Callable[[], bool], wait_s: float) -> bool:
        """Returns as soon as it is so, or when the time is over. Whether it is so."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(wait_s), self._changed:
                await self._changed.wait_for(is_so)
        return is_so()
