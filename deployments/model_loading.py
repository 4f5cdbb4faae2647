"""The served model out of memory and back: both engine stages scaled to nothing, and up again.

Serve's external scaling does it, so the application's config must say `external_scaler_enabled`
(and no deployment may scale by itself). A stage that is scaled down ends its process: the memory is
the machine's again.
"""

import asyncio
import math
import time
from collections.abc import Awaitable, Callable, Mapping

from ray import serve
from ray.serve._private.common import DeploymentID  # Serve has no public call but HTTP's
from ray.serve.context import _get_global_client

from app.config import ServeArgs
from app.errors import NotServed, Unavailable
from app.sessions.model_state import ENGINES
from app.sessions.tasks import TaskSet
from deployments.registry import RemoteRegistry

LOADED_WITHIN_S = 180.0
LOOK_AGAIN_S = 0.2


class StageLoader:
    """Implements app.core.ModelSwitch."""

    def __init__(self, registry: RemoteRegistry, args: ServeArgs) -> None:
        self._registry = registry
        self._replicas: Mapping[str, int]  # of each deployment that has an engine, when loaded
        if args.topology == "colocated":
            self._replicas = {"Colocated": args.vocoder_replicas}
        else:
            self._replicas = {"T3": args.t3_replicas, "Vocoder": args.vocoder_replicas}
        self._turn = asyncio.Lock()
        self._tasks = TaskSet(detached=True)

    async def load(self) -> None:
        """Carried out even if the caller hangs up."""
        await asyncio.shield(self._tasks.start(self._load()))

    async def unload(self) -> None:
        """Carried out even if the caller hangs up."""
        await asyncio.shield(self._tasks.start(self._unload()))

    async def _load(self) -> None:
        async with self._turn:
            if await _is_possible():  # else it is not out; by an earlier config it may have been
                await _scale(self._replicas)
                await _until(self._all_report, LOADED_WITHIN_S)
            await self._registry.set_loaded(loaded=True)

    async def _unload(self) -> None:
        async with self._turn:
            if not await _is_possible():  # before anybody is refused
                message = "the model stays: the config of this application has no "
                raise NotServed(f"{message}`external_scaler_enabled: true`")
            await _until(self._is_quiet)
            await _scale(dict.fromkeys(self._replicas, 0))
            await _until(self._none_reports)

    async def _is_quiet(self) -> bool:
        """No session begins, and none lives: each has a deadline."""
        return await self._registry.set_loaded(loaded=False) == 0

    async def _all_report(self) -> bool:
        return await self._reporting() >= ENGINES

    async def _none_reports(self) -> bool:
        return not ENGINES & await self._reporting()

    async def _reporting(self) -> set[str]:
        """The stages of which a replica lives; of one that has ended, for three seconds more."""
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
            raise Unavailable("the model is not back yet; ask again")
        await asyncio.sleep(LOOK_AGAIN_S)
