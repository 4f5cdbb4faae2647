"""Unloads and loads the served model: both engine stages are scaled to no replica, and back.

This is Serve's external scaling, so the application's config must say `external_scaler_enabled`,
and no deployment may scale by itself. A stage without a replica has no process, so its memory is
free.
"""

import asyncio
import math
import time
from collections.abc import Awaitable, Callable, Mapping

from ray import serve
from ray.serve._private.common import DeploymentID  # Serve has this call in its HTTP API alone
from ray.serve.context import _get_global_client

from app.config import ServeArgs
from app.core import HealthStatus
from app.errors import NotServed, Unavailable
from app.sessions.model_state import ENGINES
from app.sessions.tasks import TaskSet
from deployments.registry import RemoteRegistry

LOADED_WITHIN_S = 180.0
LOOK_AGAIN_S = 0.2


class StageLoader:
    """Implements app.sessions.model_state.ModelLoader. A load and an unload run to their ends even
    if the caller hangs up."""

    def __init__(self, registry: RemoteRegistry, args: ServeArgs) -> None:
        self._registry = registry
        self._replicas: Mapping[str, int]  # of a loaded model, by deployment
        if args.topology == "colocated":
            self._replicas = {"Colocated": args.vocoder_replicas}
        else:
            self._replicas = {"T3": args.t3_replicas, "Vocoder": args.vocoder_replicas}
        self._turn = asyncio.Lock()
        self._tasks = TaskSet(detached=True)
        self._loading: asyncio.Task[None] | None = None

    async def load(self) -> None:
        """Concurrent callers share one load."""
        if self._loading is None or self._loading.done():
            self._loading = self._tasks.start(self._load())
        await asyncio.shield(self._loading)

    async def load_on_demand(self) -> None:
        """Loads the model for a session. An unload that is under way ends first."""
        await _until(self._may_load)
        await self.load()

    async def unload(self) -> None:
        await self._tasks.run(self._unload())

    async def _load(self) -> None:
        async with self._turn:
            if await _is_possible():  # else they run, even if an earlier config unloaded them
                await _scale(self._replicas)
                await _until(self._all_report, LOADED_WITHIN_S)
            await self._registry.set_loaded(loaded=True)

    async def _unload(self) -> None:
        async with self._turn:
            if not await _is_possible():  # checked before any session is refused
                message = "The model cannot be unloaded: the config of this application has no "
                raise NotServed(f"{message}`external_scaler_enabled: true`.")
            await _until(self._is_quiet)
            await _scale(dict.fromkeys(self._replicas, 0))
            await _until(self._none_reports)
            await self._is_quiet()  # tells it again: another ingress may have told of a load

    async def _is_quiet(self) -> bool:
        """No session begins, and none is live. Each ends at its deadline at the latest."""
        return await self._registry.set_loaded(loaded=False) == 0

    async def _may_load(self) -> bool:
        """False while engines of an unloaded model run: for the last sessions of an unload, or
        because another ingress loads the model."""
        health = await self._registry.health()
        return health.status is not HealthStatus.UNLOADED or ENGINES.isdisjoint(health.stages)

    async def _all_report(self) -> bool:
        return await self._reporting() >= ENGINES

    async def _none_reports(self) -> bool:
        return not ENGINES & await self._reporting()

    async def _reporting(self) -> set[str]:
        """The stages with a running replica. A replica counts for 3 s after its last heartbeat."""
        return set((await self._registry.health()).stages)


async def _is_possible() -> bool:
    app_name = serve.get_replica_context().app_name
    enabled: bool = await _get_global_client()._controller.get_external_scaler_enabled.remote(
        app_name
    )
    return enabled


async def _scale(replicas: Mapping[str, int]) -> None:
    app_name = serve.get_replica_context().app_name
    controller = _get_global_client()._controller
    for name, num in replicas.items():
        deployment = DeploymentID(name, app_name)
        await controller.update_deployment_replicas.remote(deployment, num)


async def _until(is_so: Callable[[], Awaitable[bool]], within_s: float = math.inf) -> None:
    give_up_s = time.monotonic() + within_s
    while True:
        if await is_so():
            return
        if time.monotonic() > give_up_s:
            raise Unavailable("The model is still loading. Send the request again.")
        await asyncio.sleep(LOOK_AGAIN_S)
