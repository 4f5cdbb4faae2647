"""The gaps of a body that is being sent: silence goes out while the speech owes a part and is late.

Two tasks send: the answer its parts, and this its fillers. A part waits until a filler that has
begun is sent. Knows nothing about formats.
"""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager

from app.api.gaps import fill_gaps
from app.sessions.tasks import cancel_and_wait


class BodyGaps:
    """Implements app.api.gaps.Owing."""

    is_done = False

    def __init__(self, send_filler: Callable[[], Awaitable[None]]) -> None:
        self.heard_s = 0.0  # of the parts so far, without fillers
        self._send_filler = send_filler
        self._is_owed = False
        self._filling = asyncio.Lock()
        self._task: asyncio.Task[None] | None = None

    @property
    def owes_sound(self) -> bool:
        return self._is_owed

    @asynccontextmanager
    async def filled(self) -> AsyncGenerator[None, None]:
        """Gaps are filled inside."""
        self._task = asyncio.ensure_future(fill_gaps(self, self._fill))
        try:
            yield
        finally:
            await cancel_and_wait(self._task)

    def begin(self) -> None:
        """The next part is awaited."""
        self._is_owed = True

    async def end(self) -> None:
        """The part is there. Returns once no filler is being sent. Raises the error of a filler."""
        self._is_owed = False
        async with self._filling:
            if self._task is not None and self._task.done():
                self._task.result()

    async def _fill(self) -> None:
        async with self._filling:
            if self._is_owed:
                await self._send_filler()
