"""A replica's ear on the cancel log, and its voice.

The log is pulled by long poll (epoch + cursor), so nothing is lost when a registry or a replica
restarts. Twice a second the replica says what it is doing, and hears which of its sessions are
still wanted.
"""

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable
from typing import Any

from ray.exceptions import RayActorError, RayError

from app.core import SessionKey
from app.engine.stats import CellCounts, TokenCounts
from app.sessions.leases import Leases
from app.sessions.registry import CancelBatch, Heartbeat
from app.sessions.table import Confirmation, ReplicaId
from deployments.detached_tasks import DetachedTasks
from deployments.metrics import StageMetrics
from deployments.registry import ANSWER_WITHIN_S, Actors, shard_of

log = logging.getLogger("ray.serve")

REPORT_PERIOD_S = 0.4

Stop = Callable[[SessionKey], Awaitable[Confirmation | None]]


class RegistryFollower:
    """Runs on the event loop that starts it."""

    def __init__(
        self,
        actors: Actors,
        follower: ReplicaId,
        stop: Stop,
        *,
        report: Callable[[], Heartbeat],
        leases: Leases | None = None,
        on_epoch: Callable[[int], Awaitable[None]] | None = None,
        counts: TokenCounts | CellCounts | None = None,
    ) -> None:
        """`stop` ends what the replica has of a session; what it returns is confirmed. `leases`:
        the sessions that end here when nobody wants them. `on_epoch` is told of an actor (by its
        place in `actors`) that is heard for the first time, or began anew. `counts`: the engine's,
        to be published."""
        self._actors = actors
        self._follower = follower
        self._stop = stop
        self._report = report
        self._leases = leases
        self._on_epoch = on_epoch
        self._metrics = StageMetrics(follower.stage, counts)
        self._background = DetachedTasks()

    def start(self) -> None:
        for shard, actor in enumerate(self._actors):
            self._background.start(self._follow(shard, actor))
        self._background.start(self._tell())

    def left(self, key: SessionKey) -> None:
        """The consumer of one of its streams has gone: the rest of the session goes, too."""
        self._background.start(self._end(key))

    async def _follow(self, shard: int, actor: Any) -> None:
        epoch, cursor = "", 0
        while True:
            try:
                news: CancelBatch = await actor.poll.remote(self._follower, epoch, cursor)
                if epoch != news.epoch and self._on_epoch is not None:
                    await self._on_epoch(shard)  # where that fails the poll is asked anew
            except RayActorError:
                await asyncio.sleep(0.05 + random.random() * 0.05)
                continue
            except Exception:  # any: a replica that stopped following would hear of no cancel
                log.exception("%s cannot follow the cancel registry", self._follower.stage)
                await asyncio.sleep(1.0)
                continue
            epoch, cursor = news.epoch, news.cursor
            for key in news.cancelled:
                self._background.start(self._end(key))

    async def _end(self, key: SessionKey) -> None:
        confirmation = await self._stop(key)
        if confirmation is None:
            return
        actor = self._actors[shard_of(key, self._actors)]
        try:
            await actor.confirm.remote(self._follower, key, confirmation)
        except RayActorError:
            log.warning("registry away: stop not confirmed", extra={"session": key.session_id})

    async def _tell(self) -> None:
        """The first actor hears it, and Prometheus."""
        lapsed: tuple[SessionKey, ...] = ()
        while True:
            wanted: frozenset[SessionKey] | None = None
            report = self._report()._replace(num_tasks=len(asyncio.all_tasks()))
            self._metrics.publish(report.stats)
            try:
                async with asyncio.timeout(ANSWER_WITHIN_S):
                    wanted = await self._actors[0].report.remote(self._follower, report)
            except (RayError, TimeoutError):  # it is told again in a moment
                log.debug("registry away: not reported")
            self._metrics.reported(answered=wanted is not None)
            before, lapsed = lapsed, self._leases.renew(wanted) if self._leases is not None else ()
            for key in lapsed:
                log.warning("nobody wants session %s any more", key.session_id)
                self._background.start(self._end(key))
            self._metrics.lost(len(set(lapsed) - set(before)))
            await asyncio.sleep(REPORT_PERIOD_S)
