"""The CancelRegistry actors, and how ingresses speak to them.

Named actors outside Serve: a handle call would queue behind a saturated replica. A session belongs
to one of them by its key. The death of one never blocks synthesis: disconnects still cancel, new
requests are still served, and what it had acknowledged is told to the one that Ray starts in its
place.
"""

import asyncio
import logging
import re
import time
import zlib
from collections.abc import Callable, Collection
from functools import partial
from typing import Any

import ray
from ray.exceptions import RayActorError, RayError
from ray.util import list_named_actors

from app.config import Limits, ServeArgs
from app.core import CancelAck, CancelState, Health, Mark, SessionKey, SessionReport
from app.errors import Unavailable
from app.sessions.recent_cancels import RecentCancels
from app.sessions.registry import Registry
from app.sessions.table import Claim, SessionEnd
from deployments.detached_tasks import DetachedTasks
from deployments.metrics import SessionMetrics
from deployments.session_log import log_end

log = logging.getLogger("ray.serve")

NAMESPACE = "chatterbox-serve"
_NAME = re.compile(r"-registry-\d+$")
ANSWER_WITHIN_S = 10.0  # one that hangs is away too; a start takes seconds on a busy machine
RETRY_FOR_S = 3.0  # a restart takes 0.5-2 s
CONFIRMED_WITHIN_S = 1.0  # after an acknowledgement or a hang-up: what none awaits

Actors = tuple[Any, ...]


def registry_actors(app_name: str, args: ServeArgs) -> Actors:
    """The handles of an application's; made by whoever asks first, restarted by Ray when they die.
    They stay while the application's replicas are replaced: a session outlives an update."""
    return tuple(
        _actor(f"{app_name}-registry-{shard}", args.limits) for shard in range(args.registry_shards)
    )


def every_registry() -> dict[str, Any]:
    """By name: of all applications in the cluster that this process has joined."""
    named = list_named_actors(all_namespaces=True)
    names = [actor["name"] for actor in named if actor["namespace"] == NAMESPACE]
    return {name: ray.get_actor(name, namespace=NAMESPACE) for name in names if _NAME.search(name)}


def _actor(name: str, limits: Limits) -> Any:
    actor = ray.remote(Registry).options(
        name=name,
        namespace=NAMESPACE,
        lifetime="detached",
        get_if_exists=True,
        num_cpus=0,
        max_restarts=-1,
        max_task_retries=0,  # a replayed poll or cancel would be answered to nobody
        max_concurrency=10_000,
    )
    return actor.remote(*_settings(limits))


def _settings(limits: Limits) -> tuple[float, float, float]:
    return limits.remember_s, limits.live_s, limits.first_audio_s


def shard_of(key: SessionKey, actors: Actors) -> int:
    """Whose session this is; the same in every process."""
    return zlib.crc32("/".join(key).encode()) % len(actors)


class RemoteRegistry:
    """The registry as an ingress sees it. Implements app.sessions.table.RegistryClient."""

    def __init__(
        self, actors: Actors, limits: Limits, metrics: SessionMetrics | None = None
    ) -> None:
        self._actors = actors
        self._limits = limits
        self._since_s = time.time()  # the ingress that began later has the newer config
        self._acknowledged = RecentCancels(limits.remember_s)
        self._metrics = metrics
        self._background = DetachedTasks()

    def _actor(self, key: SessionKey) -> Any:
        return self._actors[shard_of(key, self._actors)]

    async def claim(self, key: SessionKey, predicted_s: float = 0.0) -> Claim:
        return await asyncio.shield(self._background.start(self._claim(key, predicted_s)))

    async def _claim(self, key: SessionKey, predicted_s: float) -> Claim:
        try:
            async with asyncio.timeout(ANSWER_WITHIN_S):
                claim: Claim = await self._actor(key).claim.remote(key, predicted_s)
        except (RayActorError, TimeoutError):  # away: serve, rather than refuse everybody
            log.warning("registry away: session not claimed", extra={"session": key.session_id})
            return Claim.GRANTED
        return claim

    async def cancel(self, key: SessionKey) -> CancelAck:
        """Retried while the actor restarts; then Unavailable. Never acknowledged unseen, and
        carried out even if the caller hangs up."""
        received_s = time.monotonic()
        return await asyncio.shield(self._background.start(self._cancel(key, received_s)))

    async def _cancel(self, key: SessionKey, received_s: float) -> CancelAck:
        ack = await self._cancelled(key, received_s)
        if ack.state is not CancelState.ALREADY_DONE:
            self._acknowledged.add(key)
        if self._metrics is not None:
            self._metrics.acknowledged(ack)
            if ack.state in (CancelState.STOPPED, CancelState.STOPPING):
                self._background.start(self._measure(key, self._metrics))
        return ack

    async def _cancelled(self, key: SessionKey, received_s: float) -> CancelAck:
        give_up_s = received_s + RETRY_FOR_S
        while True:
            try:
                async with asyncio.timeout(max(0.0, give_up_s - time.monotonic())):
                    ack: CancelAck = await self._actor(key).cancel.remote(key, received_s)
            except (RayActorError, TimeoutError) as away:
                if time.monotonic() > give_up_s:
                    raise Unavailable("the cancel registry is away") from away
                await asyncio.sleep(0.05)
            else:
                return ack

    async def _measure(self, key: SessionKey, metrics: SessionMetrics) -> None:
        await asyncio.sleep(CONFIRMED_WITHIN_S)
        report = await self.session(key)
        if report is not None:
            metrics.stopped(report.tokens_discarded, report.marks)

    def finish(self, key: SessionKey, end: SessionEnd) -> None:
        if self._metrics is not None:
            self._metrics.ended(end)
            if Mark.DISCONNECTED in end.marks:
                self._background.start(self._measure(key, self._metrics))
        log_end(key, end)
        self._background.start(self._record(key, end))

    async def _record(self, key: SessionKey, end: SessionEnd) -> None:
        try:
            await self._actor(key).finish.remote(key, end)
        except RayActorError:  # its id is free again a little early; nothing else is lost
            log.warning("registry away: end not recorded", extra={"session": key.session_id})

    async def session(self, key: SessionKey) -> SessionReport | None:
        report: SessionReport | None = await self._asked(
            lambda: self._actor(key).session.remote(key)
        )
        return report

    async def health(self) -> Health:
        """The first actor's: all replicas report to it."""
        health: Health = await self._asked(lambda: self._actors[0].health.remote(("t3", "vocoder")))
        return health

    async def set_loaded(self, loaded: bool) -> int:
        """Tell all actors that the model is loaded, or not. Returns how many sessions live."""
        calls = (self._asked(partial(actor.set_loaded.remote, loaded)) for actor in self._actors)
        return sum(await asyncio.gather(*calls))

    async def restore(self, shard: int, live: Collection[SessionKey]) -> None:
        """Tell an actor that is new to this ingress, or began anew, its limits, and what this
        ingress knows of the time before. Raises RayActorError."""
        actor = self._actors[shard]
        await actor.configure.remote(*_settings(self._limits), self._since_s)
        await actor.restore.remote(
            [key for key in live if shard_of(key, self._actors) == shard],
            [key for key in self._acknowledged if shard_of(key, self._actors) == shard],
        )

    async def _asked(self, ask: Callable[[], Any]) -> Any:
        async def within() -> Any:
            async with asyncio.timeout(ANSWER_WITHIN_S):
                return await ask()

        try:
            return await asyncio.shield(self._background.start(within()))
        except (RayError, TimeoutError) as away:
            raise Unavailable("the cancel registry is away") from away
