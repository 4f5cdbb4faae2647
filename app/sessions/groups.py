"""Ids that stand for several sessions: a context of a speech socket, and a socket.

The registry knows a group as it knows a session, so a cancel that arrives anywhere is acknowledged,
and a report exists. A group makes no sound itself: it counts in no admission and no metric. Knows
nothing about what the sessions are, nor where the registry runs.
"""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

from app.core import Group, SessionKey
from app.errors import Unavailable
from app.sessions.registry_client import RegistryClient
from app.sessions.table import Claim, SessionEnd
from app.sessions.tasks import TaskSet


class SessionGroups:
    """`stop` may be called for any id; it acts on the groups that are open here."""

    def __init__(self, registry: RegistryClient) -> None:
        self._registry = registry
        self._open: dict[SessionKey, Group] = {}
        self._tasks = TaskSet()

    def keys(self) -> frozenset[SessionKey]:
        return frozenset(self._open)

    def stop(self, key: SessionKey) -> None:
        if (group := self._open.get(key)) is not None and not group.stopped.done():
            group.stopped.set_result(None)

    @contextmanager
    def open(self, key: SessionKey) -> Iterator[Group]:
        """As `app.core.Synthesizer.group`. Waits for nothing."""
        group = Group(asyncio.get_running_loop().create_future())
        claiming = self._tasks.start(self._claim(key))
        self._open.setdefault(key, group)  # an id that is in use names its first group
        try:
            yield group
        finally:
            if self._open.get(key) is group:
                del self._open[key]
                self._tasks.start(self._finish(claiming, key, group))

    async def _claim(self, key: SessionKey) -> Claim | None:
        """None where the registry does not answer."""
        try:
            claim = await self._registry.claim_group(key)
        except Unavailable:
            return None
        if claim is Claim.CANCELLED:
            self.stop(key)
        return claim

    async def _finish(
        self, claiming: "asyncio.Task[Claim | None]", key: SessionKey, group: Group
    ) -> None:
        if await claiming is Claim.GRANTED:
            end = SessionEnd(
                group.finish,
                group.audio_sent_s,
                group.num_tokens,
                group.marks,
                group.cause,
                transcript=group.transcript,
                played_ms=group.played_ms,
            )
            self._registry.finish_group(key, end)
