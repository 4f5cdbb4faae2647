"""The actor that counts what API keys use, for every ingress. Named and outside Serve, as the
cancel registry is. Without it, keys that have limits are refused with 503: nobody would count."""

import asyncio
import logging
from typing import Any

import ray
from ray.exceptions import RayActorError

from app.auth.quota import Admission, UsageCounter
from app.config import Quota
from app.errors import Unavailable
from deployments.detached_tasks import DetachedTasks
from deployments.registry import ANSWER_WITHIN_S, NAMESPACE

log = logging.getLogger("ray.serve")


def usage_actor(app_name: str) -> Any:
    """The handle of an application's; made by whoever asks first, restarted by Ray when it dies
    (its counts begin anew)."""
    actor = ray.remote(UsageCounter).options(
        name=f"{app_name}-ledger",
        namespace=NAMESPACE,
        lifetime="detached",
        get_if_exists=True,
        num_cpus=0,
        max_restarts=-1,
        max_task_retries=0,  # a replayed admission would hold a ticket that nobody has
        max_concurrency=10_000,
    )
    return actor.remote()


class RemoteUsage:
    """Implements app.auth.quota.Ledger."""

    def __init__(self, actor: Any) -> None:
        self._actor = actor
        self._background = DetachedTasks()

    async def admit(self, name: str, quota: Quota, num_chars: int, live_s: float) -> Admission:
        return await self._background.start(self._admit(name, quota, num_chars, live_s))

    async def _admit(self, name: str, quota: Quota, num_chars: int, live_s: float) -> Admission:
        try:
            async with asyncio.timeout(ANSWER_WITHIN_S):
                admission: Admission = await self._actor.admit.remote(
                    name, quota, num_chars, live_s
                )
        except (RayActorError, TimeoutError) as away:
            raise Unavailable("the ledger of API keys is away") from away
        return admission

    async def settle(self, name: str, ticket: str, audio_s: float) -> None:
        await self._background.start(self._settle(name, ticket, audio_s))

    async def _settle(self, name: str, ticket: str, audio_s: float) -> None:
        try:
            await self._actor.settle.remote(name, ticket, audio_s)
        except RayActorError:
            log.warning("ledger away: the end of a session of key %s is not counted", name)
