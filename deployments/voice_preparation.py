"""Prepares voices before their first use: the enroller turns a recording into conditionals.

Knows nothing about sessions, nor where recordings and conditionals are stored.
"""

import asyncio
from collections.abc import Awaitable, Callable

from cachetools import LRUCache

from app.core import VoiceKind, VoiceRef
from app.sessions.tasks import TaskSet

MAX_PREPARED = 1000  # voices known to be prepared; the enroller is asked again for the others

Enrol = Callable[[VoiceRef], Awaitable[None]]


class VoicePreparation:
    """Asks the enroller once for all sessions that wait for the same voice."""

    def __init__(self, enrol: Enrol) -> None:
        self._enrol = enrol
        self._prepared: LRUCache[VoiceRef, bool] = LRUCache(MAX_PREPARED)
        self._running: dict[VoiceRef, asyncio.Task[None]] = {}
        self._tasks = TaskSet(detached=True)  # the session that asked first may hang up

    async def prepare(self, voice: VoiceRef) -> None:
        """Returns when the voice can be spoken with, at once where it is built in or known to be
        prepared. Raises what the enroller raises."""
        if voice.kind is VoiceKind.BUILT_IN or self._prepared.get(voice):
            return
        if (task := self._running.get(voice)) is None:
            task = self._running[voice] = self._tasks.start(self._run(voice))
        await asyncio.shield(task)

    async def prepare_again(self, voice: VoiceRef) -> None:
        """As `prepare`, even if the voice is known to be prepared. Joins a preparation that runs
        already."""
        self._prepared.pop(voice, None)
        await self.prepare(voice)

    async def _run(self, voice: VoiceRef) -> None:
        try:
            await self._enrol(voice)
            self._prepared[voice] = True
        finally:
            del self._running[voice]
