"""How a replica follows the cancel registry.

The replica reads the cancel log by long poll (epoch and cursor), so no cancel is lost when a
registry or a replica restarts. Twice a second the replica sends a heartbeat, and is answered which
of its sessions are still wanted.
"""

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

from ray.exceptions import RayActorError, RayError

from app.core import SessionKey
from app.engine.stats import CellCounts, TokenCounts
from app.errors import Unavailable
from app.sessions.cancel_log import CancelBatch
from app.sessions.leases import Leases
from app.sessions.replica_table import Heartbeat
from app.sessions.table import Confirmation, ReplicaId
from app.sessions.tasks import TaskSet
from deployments.metrics import StageMetrics
from deployments.named_actors import answer
from deployments.registry import WHAT, Actors, shard_of

log = logging.getLogger(__name__)

HEARTBEAT_PERIOD_S = 0.4

Stop = Callable[[SessionKey], Awaitable[Confirmation | None]]


class RegistryFollower:
    """Runs on the event loop that starts it."""

    def __init__(
        self,
        actors: Actors,
        replica: ReplicaId,
        stop: Stop,
        *,
        heartbeat: Callable[[], Heartbeat],
        leases: Leases | None = None,
        on_epoch: Callable[[int], Awaitable[None]] | None = None,
        counts: TokenCounts | CellCounts | None = None,
    ) -> None:
        """`stop` ends what the replica runs of a session; its result is sent as a confirmation.
        `leases`: sessions whose leases lapse are stopped. `on_epoch` is called with an actor's
        index in `actors` when the actor answers for the first time, or has started anew. `counts`:
        the engine's, to be published as metrics."""
        self._actors = actors
        self._replica = replica
        self._stop = stop
        self._heartbeat = heartbeat
        self._leases = leases
        self._on_epoch = on_epoch
        self._metrics = StageMetrics(replica.stage, counts)
        self._tasks = TaskSet(detached=True)
        self._ending: set[SessionKey] = set()

    def start(self) -> None:
        for shard, actor in enumerate(self._actors):
            self._tasks.start(self._follow(shard, actor))
        self._tasks.start(self._send_heartbeats())

    def left(self, key: SessionKey) -> None:
        """The consumer of one of the session's streams has left: all of the session is stopped. A
        cancel makes the consumers leave too. The registry needs no second confirmation then."""
        if key not in self._ending:
            self._tasks.start(self._end(key))

    async def _follow(self, shard: int, actor: Any) -> None:
        epoch, cursor = "", 0
        while True:
            try:
                batch: CancelBatch = await actor.poll.remote(self._replica, epoch, cursor)
                if epoch != batch.epoch and self._on_epoch is not None:
                    await self._on_epoch(shard)  # where this fails, the same poll is sent again
            except RayActorError:
                await asyncio.sleep(0.05 + random.random() * 0.05)
                continue
            except Exception:  # any: a replica that stopped following would miss every cancel
                log.exception("A %s replica cannot follow the cancel log.", self._replica.stage)
                await asyncio.sleep(1.0)
                continue
            epoch, cursor = batch.epoch, batch.cursor
            for key in batch.cancelled:
                self._tasks.start(self._end(key))
            await asyncio.sleep(0)  # the stops begin, and the next poll is sent after that

    async def _end(self, key: SessionKey) -> None:
        self._ending.add(key)
        try:
            confirmation = await self._stop(key)
            if confirmation is not None:
                await self._confirm(key, confirmation)
        finally:
            self._ending.discard(key)

    async def _confirm(self, key: SessionKey, confirmation: Confirmation) -> None:
        actor = self._actors[shard_of(key, self._actors)]
        call = partial(actor.confirm.remote, self._replica, key, confirmation)
        try:
            await answer(call, WHAT, within_s=None)
        except Unavailable as error:
            message = "%s A stop is not confirmed."
            log.warning(message, error.message, extra={"session": key.session_id})

    async def _send_heartbeats(self) -> None:
        """To the first actor. Publishes the replica's metrics as often."""
        lapsed: tuple[SessionKey, ...] = ()
        while True:
            wanted: frozenset[SessionKey] | None = None
            heartbeat = self._heartbeat()._replace(num_tasks=len(asyncio.all_tasks()))
            self._metrics.publish(heartbeat.stats)
            try:
                call = partial(self._actors[0].heartbeat.remote, self._replica, heartbeat)
                wanted = await answer(call, WHAT)
            except (RayError, Unavailable) as error:
                log.debug("A heartbeat is lost: %s", error)
            self._metrics.note_heartbeat(answered=wanted is not None)
            before, lapsed = lapsed, self._leases.renew(wanted) if self._leases is not None else ()
            for key in lapsed:
                message = "No consumer wants this session any more: it is stopped."
                log.warning(message, extra={"session": key.session_id})
                self._tasks.start(self._end(key))
            self._metrics.lost(len(set(lapsed) - set(before)))
            await asyncio.sleep(HEARTBEAT_PERIOD_S)
