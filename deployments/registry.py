"""The CancelRegistry actors, and how ingresses ask them.

A session belongs to one of the actors by its key. The death of one blocks no synthesis: a client
that hangs up still cancels its session, and new requests are served. Ray starts another actor in
its place, and each ingress tells that actor the cancels that were acknowledged.
"""

import asyncio
import logging
import re
import time
import zlib
from collections.abc import Collection
from functools import partial
from typing import Any

import ray
from ray.util import list_named_actors

from app.barge_in import BargeInTimes
from app.config import Limits, ServeArgs
from app.core import CancelAck, CancelState, Health, SessionKey, SessionReport
from app.errors import Unavailable
from app.sessions.recent_cancels import RecentCancels
from app.sessions.registry import Registry
from app.sessions.smooth_admission import NO_WORK, Work
from app.sessions.table import Claim, SessionEnd
from app.sessions.tasks import TaskSet
from app.spoken_words import Transcript
from deployments.named_actors import NAMESPACE, answer, named_actor

log = logging.getLogger(__name__)

WHAT = "cancel registry"
RETRY_FOR_S = 3.0  # a restart takes 0.5-2 s
RETRY_PAUSE_S = 0.05
_NAME = re.compile(r"-registry-\d+$")

Actors = tuple[Any, ...]


def registry_actors(app_name: str, args: ServeArgs) -> Actors:
    """The handles of an application's registry actors. The actors stay while the application's
    replicas are replaced, so a session outlives an update."""
    settings = _settings(args.limits, args.registry_shards)
    names = (f"{app_name}-registry-{shard}" for shard in range(args.registry_shards))
    return tuple(named_actor(Registry, name, *settings) for name in names)


def every_registry() -> dict[str, Any]:
    """By name: those of all applications in the cluster that this process has joined."""
    named = list_named_actors(all_namespaces=True)
    names = [actor["name"] for actor in named if actor["namespace"] == NAMESPACE]
    return {name: ray.get_actor(name, namespace=NAMESPACE) for name in names if _NAME.search(name)}


def _settings(limits: Limits, num_shards: int) -> tuple[float, float, float, bool]:
    """One of several registries does not see all running streams: it admits all sessions."""
    admits_all = limits.admit == "all" or num_shards > 1
    return limits.remember_s, limits.live_s, limits.first_audio_s, admits_all


def shard_of(key: SessionKey, actors: Actors) -> int:
    """The index of the actor to which the session belongs; the same in every process."""
    return zlib.crc32("/".join(key).encode()) % len(actors)


class RemoteRegistry:
    """Of one ingress. Implements app.sessions.registry_client.RegistryClient."""

    def __init__(self, actors: Actors, limits: Limits) -> None:
        self._actors = actors
        self._limits = limits
        self._since_s = time.time()  # the ingress that began last has the newest config
        self._acknowledged = RecentCancels(limits.remember_s)
        self._tasks = TaskSet(detached=True)

    def _actor(self, key: SessionKey) -> Any:
        return self._actors[shard_of(key, self._actors)]

    async def claim(self, key: SessionKey, work: Work = NO_WORK) -> Claim:
        """GRANTED where the registry does not answer: its death refuses no request."""
        call = partial(self._actor(key).claim.remote, key, work)
        try:
            claim: Claim = await self._tasks.run(answer(call, WHAT))
        except Unavailable as error:
            message = "%s The session is served without a claim."
            log.warning(message, error.message, extra={"session": key.session_id})
            return Claim.GRANTED
        return claim

    async def wait_s(self, key: SessionKey) -> float:
        """0 where the registry does not answer."""
        try:
            wait_s: float = await self._ask(self._actor(key).wait_s.remote, key)
        except Unavailable:
            return 0.0
        return wait_s

    async def claim_group(self, key: SessionKey) -> Claim:
        claim: Claim = await self._ask(self._actor(key).claim_group.remote, key)
        return claim

    async def cancel(self, key: SessionKey, played_ms: float | None = None) -> CancelAck:
        """Retried while the actor restarts, then Unavailable. Runs to its end even if the caller
        hangs up."""
        received_s = time.monotonic()
        return await self._tasks.run(self._cancel(key, received_s, played_ms))

    async def _cancel(
        self, key: SessionKey, received_s: float, played_ms: float | None
    ) -> CancelAck:
        call = partial(self._actor(key).cancel.remote, key, received_s, played_ms=played_ms)
        give_up_s = received_s + RETRY_FOR_S
        while True:
            try:
                ack: CancelAck = await answer(call, WHAT, max(0.0, give_up_s - time.monotonic()))
            except Unavailable:
                if time.monotonic() > give_up_s:
                    raise
                await asyncio.sleep(RETRY_PAUSE_S)
                continue
            if ack.state is not CancelState.ALREADY_DONE:
                self._acknowledged.add(key)
            return ack

    def finish(self, key: SessionKey, end: SessionEnd) -> None:
        self._tasks.start(self._finish(key, end))

    finish_group = finish

    async def _finish(self, key: SessionKey, end: SessionEnd) -> None:
        try:
            await answer(partial(self._actor(key).finish.remote, key, end), WHAT, within_s=None)
        except Unavailable as error:  # nothing but the record of a used id is lost
            message = "%s The end of a session is not recorded."
            log.warning(message, error.message, extra={"session": key.session_id})

    async def interrupted(self, key: SessionKey, times: BargeInTimes) -> None:
        await self._ask(self._actor(key).interrupted.remote, key, times)

    async def session(self, key: SessionKey) -> SessionReport | None:
        report: SessionReport | None = await self._ask(self._actor(key).session.remote, key)
        return report

    async def transcript(self, key: SessionKey) -> Transcript | None:
        found: Transcript | None = await self._ask(self._actor(key).transcript.remote, key)
        return found

    async def live(self, tenant: str | None) -> tuple[SessionKey, ...]:
        """Of all actors. Raises Unavailable where one of them does not answer."""
        calls = (self._ask(actor.live.remote, tenant) for actor in self._actors)
        return tuple(key for keys in await asyncio.gather(*calls) for key in keys)

    async def health(self) -> Health:
        """Of the first actor: all replicas send their heartbeats there."""
        health: Health = await self._ask(self._actors[0].health.remote, ("t3", "vocoder"))
        return health

    async def set_loaded(self, loaded: bool) -> int:
        """Tells all actors whether the model is loaded. Returns the number of live sessions."""
        calls = (self._ask(actor.set_loaded.remote, loaded) for actor in self._actors)
        return sum(await asyncio.gather(*calls))

    async def restore(
        self, shard: int, live: Collection[SessionKey], groups: Collection[SessionKey] = ()
    ) -> None:
        """Tells an actor that is new to this ingress the ingress's limits, its live sessions, its
        open groups and the cancels that were acknowledged to it. Raises RayActorError."""
        actor = self._actors[shard]
        settings = _settings(self._limits, len(self._actors))
        await actor.configure.remote(*settings, self._since_s)
        known = (live, self._acknowledged, groups)
        await actor.restore.remote(
            *([key for key in keys if shard_of(key, self._actors) == shard] for keys in known)
        )

    async def _ask(self, method: Any, *args: object) -> Any:
        return await self._tasks.run(answer(partial(method, *args), WHAT))
