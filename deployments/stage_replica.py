"""What every replica with an engine has: leases, followers of the cancel log, health, and the load
that Serve scales by."""

from collections.abc import AsyncGenerator
from functools import partial
from typing import TYPE_CHECKING, Protocol

from ray import serve

from app.config import ServeArgs
from app.core import SessionKey, StageStats
from app.engine.stats import CellCounts, TokenCounts
from app.sessions.leases import Leases
from app.sessions.replica_table import Heartbeat
from app.sessions.table import Confirmation, ReplicaId
from app.sessions.tasks import TaskSet
from deployments import health
from deployments.follower import RegistryFollower
from deployments.registry import registry_actors
from deployments.scaling import load_of
from deployments.shared_cells import SharedCells
from deployments.streams import PartT, held

if TYPE_CHECKING:
    from app.engine.stages.t3 import T3Stage
    from app.engine.stages.vocoder import VocoderStage


class Stage(health.Stage, Protocol):
    @property
    def counts(self) -> TokenCounts | CellCounts: ...

    def start(self) -> None: ...

    def stats(self) -> StageStats: ...

    async def cancel(self, key: SessionKey) -> Confirmation: ...


class StageReplica:
    def __init__(
        self,
        args: ServeArgs,
        *,
        t3: "T3Stage | None" = None,
        vocoder: "VocoderStage | None" = None,
    ) -> None:
        """With T3, the vocoder, or both. The replica follows the cancel log once for each stage,
        because a cancel waits for the confirmation of T3. The consumers of the last stage are
        outside this process: its follower renews the leases, and its load is what Serve scales
        by."""
        both: dict[str, Stage | None] = {"t3": t3, "vocoder": vocoder}
        stages = {name: stage for name, stage in both.items() if stage is not None}
        context = serve.get_replica_context()
        actors = registry_actors(context.app_name, args)
        *_, last = stages
        self._stages = stages
        self._cells = SharedCells(actors[0], args, t3, vocoder)
        self._tasks = TaskSet(detached=True)
        self._last = stages[last]
        self._leases = Leases()
        self._followers = [
            RegistryFollower(
                actors,
                ReplicaId(name, context.replica_id.unique_id),
                stage.cancel,
                heartbeat=partial(self._heartbeat, stage),
                leases=self._leases if name == last else None,
                on_epoch=self._cells.tell,
                counts=stage.counts,
            )
            for name, stage in stages.items()
        ]
        for stage in stages.values():
            stage.start()
        for follower in self._followers:
            follower.start()
        self._tasks.start(self._cells.settle())

    async def can_voice(self) -> None:
        """Returns once the vocoder's cells are known. Await it before a session is voiced."""
        await self._cells.known()

    def held(
        self, parts: AsyncGenerator[PartT, None], key: SessionKey
    ) -> AsyncGenerator[PartT, None]:
        """A stream of the session, which the replica works on while the stream is open."""
        return held(parts, key, self._leases, self._left)

    def load(self) -> dict[str, float]:
        """For `record_autoscaling_stats`, which Serve calls where a config's autoscaling policy is
        deployments.scaling:ByLoad."""
        return load_of(self._last.stats())

    def check_health(self) -> None:
        health.check(*self._stages.values())

    def _left(self, key: SessionKey) -> None:
        for follower in self._followers:
            follower.left(key)

    def _heartbeat(self, stage: Stage) -> Heartbeat:
        return Heartbeat(stage.stats(), stage.failure is not None, self._leases.keys())
