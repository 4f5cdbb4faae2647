"""Prepares voices before their first use: the enroller turns a recording into conditionals.

Knows nothing about sessions, nor where recordings and conditionals are stored.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable

from cachetools import LRUCache

from app.core import Health, HealthStatus, VoiceKind, VoiceRef
from app.errors import ServeError
from app.sessions.tasks import TaskSet

log = logging.getLogger(__name__)

MAX_PREPARED = 1000  # voices known to be prepared; the enroller is asked again for the others

ASK_EVERY_S = 1.0

Enrol = Callable[[VoiceRef], Awaitable[None]]


async def wake_when_served(
    wake: Callable[[], Awaitable[None]], health: Callable[[], Awaitable[Health]]
) -> None:
    """Starts the enroller once the server can speak, and not before: the first recording does not
    wait for the enroller then, nor the start of the server."""
    status = await _status(health)
    while status is HealthStatus.STARTING:
        await asyncio.sleep(ASK_EVERY_S)
        status = await _status(health)
    try:
        await wake()
    except ServeError as error:
        log.warning("the enroller was not started before its first recording: %s", error)


async def _status(health: Callable[[], Awaitable[Health]]) -> HealthStatus:
    try:
        return (await health()).status
    except ServeError:
        return HealthStatus.STARTING


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
