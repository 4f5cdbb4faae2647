"""The CancelRegistry actor, and how replicas follow it and ingresses speak to it.

A named actor outside Serve: a handle call would queue behind a saturated replica. The log is
pulled by long poll (epoch + cursor), so nothing is lost when it or a replica restarts. Its death
never blocks synthesis: disconnects still cancel, new requests are still served.
"""

import asyncio
import contextlib
import contextvars
import logging
import random
import time
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, TypeVar

import ray
from ray.exceptions import RayActorError, RayError

from app.core import CancelAck, FinishReason, Health, SessionKey
from app.errors import Unavailable
from app.sessions import Claim, Follower, News, Registry, Report

log = logging.getLogger("ray.serve")
T = TypeVar("T")

NAMESPACE = "chatterbox-serve"
REPORT_PERIOD_S = 0.4
ANSWER_WITHIN_S = 10.0  # one that hangs is away too; a start takes seconds on a busy machine
RETRY_FOR_S = 3.0  # a restart takes 0.5-2 s


def registry_actor(name: str, remember_s: float, live_s: float) -> Any:
    """The actor's handle; made by whoever asks first, restarted by Ray when it dies."""
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
    return actor.remote(remember_s, live_s)


class RemoteRegistry:
    """The registry as an ingress sees it. Implements app.sessions.RegistryClient."""

    def __init__(self, actor: Any) -> None:
        self._actor = actor
        self._background: set[asyncio.Task[Any]] = set()

    async def claim(self, key: SessionKey) -> Claim:
        return await asyncio.shield(self._apart(self._claim(key)))

    async def _claim(self, key: SessionKey) -> Claim:
        try:
            async with asyncio.timeout(ANSWER_WITHIN_S):
                claim: Claim = await self._actor.claim.remote(key)
        except (RayActorError, TimeoutError):  # away: serve, rather than refuse everybody
            log.warning("registry away: session not claimed", extra={"session": key.session_id})
            return Claim.GRANTED
        return claim

    async def cancel(self, key: SessionKey) -> CancelAck:
        """Retried while the actor restarts; then Unavailable. Never acknowledged unseen, and
        carried out even if the caller hangs up."""
        return await asyncio.shield(self._apart(self._cancel(key)))

    async def _cancel(self, key: SessionKey) -> CancelAck:
        give_up_at = time.monotonic() + RETRY_FOR_S
        while True:
            try:
                async with asyncio.timeout(ANSWER_WITHIN_S):
                    ack: CancelAck = await self._actor.cancel.remote(key)
            except (RayActorError, TimeoutError) as away:
                if time.monotonic() > give_up_at:
                    raise Unavailable("the cancel registry is away") from away
                await asyncio.sleep(0.05)
            else:
                return ack

    def finish(
        self, key: SessionKey, reason: FinishReason, audio_sent_s: float, num_tokens: int
    ) -> None:
        self._apart(self._record(key, reason, audio_sent_s, num_tokens))

    def _apart(self, call: Coroutine[Any, Any, T]) -> "asyncio.Task[T]":
        """In a context of its own: else Ray takes the call for a child of the request's task and
        cancels it with that, when a client hangs up (4 of 40 ids stayed live, 2.60)."""
        loop = asyncio.get_running_loop()
        task = loop.create_task(call, context=contextvars.Context())
        self._background.add(task)
        task.add_done_callback(self._background.discard)
        return task

    async def _record(self, key: SessionKey, *how: object) -> None:
        try:
            await self._actor.finish.remote(key, *how)
        except RayActorError:  # its id is free again a little early; nothing else is lost
            log.warning("registry away: end not recorded", extra={"session": key.session_id})

    async def health(self) -> Health:
        return await asyncio.shield(self._apart(self._health()))

    async def _health(self) -> Health:
        try:
            async with asyncio.timeout(ANSWER_WITHIN_S):
                health: Health = await self._actor.health.remote(("t3", "vocoder"))
        except (RayActorError, TimeoutError) as away:
            raise Unavailable("the cancel registry is away") from away
        return health


class RegistryFollower:
    """A replica's ear on the cancel log, and its voice in `/health`.

    `on_cancel` stops what the replica has of a session and returns the tokens it had generated;
    a T3 replica's answer is confirmed to the registry. Runs on the event loop that starts it.
    """

    def __init__(
        self,
        actor: Any,
        follower: Follower,
        on_cancel: Callable[[SessionKey], Awaitable[int]],
        report: Callable[[], Report] | None = None,
    ) -> None:
        self._actor = actor
        self._follower = follower
        self._on_cancel = on_cancel
        self._report = report
        self._background: set[asyncio.Task[None]] = set()

    def start(self) -> None:
        tasks = [asyncio.ensure_future(self._follow())]
        if self._report is not None:
            tasks.append(asyncio.ensure_future(self._tell(self._report)))
        self._background.update(tasks)

    async def _follow(self) -> None:
        epoch, cursor = "", 0
        while True:
            try:
                news: News = await self._actor.poll.remote(self._follower, epoch, cursor)
            except RayActorError:
                await asyncio.sleep(0.05 + random.random() * 0.05)
                continue
            except Exception:  # any: a replica that stopped following would hear of no cancel
                log.exception("%s cannot follow the cancel registry", self._follower.stage)
                await asyncio.sleep(1.0)
                continue
            epoch, cursor = news.epoch, news.cursor
            for key in news.cancelled:
                task = asyncio.ensure_future(self._stop(key))
                self._background.add(task)
                task.add_done_callback(self._background.discard)

    async def _stop(self, key: SessionKey) -> None:
        num_tokens = await self._on_cancel(key)
        if self._follower.stage == "t3":
            with contextlib.suppress(RayActorError):  # the caller then reads `stopping`
                await self._actor.confirm.remote(self._follower, key, num_tokens)

    async def _tell(self, report: Callable[[], Report]) -> None:
        while True:
            with contextlib.suppress(RayError):  # it is told again in a moment
                await self._actor.report.remote(self._follower, report())
            await asyncio.sleep(REPORT_PERIOD_S)
