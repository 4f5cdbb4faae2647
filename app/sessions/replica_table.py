"""Which replicas follow the registry, and the last heartbeat of each.

A replica is lost when nothing has come from it for a while. Knows nothing about sessions' states,
waiting or Ray.
"""

import math
from collections.abc import Callable
from typing import NamedTuple

from app.core import Health, HealthStatus, SessionKey, StageStats
from app.sessions.model_state import ModelState
from app.sessions.smoothness import Capacity
from app.sessions.table import ReplicaId

HEARTBEAT_LOST_S = 3.0  # a replica whose last heartbeat is older is not counted
FOLLOWER_LOST_S = 30.0  # no cancel waits for a T3 replica whose last poll is older
LATE_S = 2.0  # the health is late where a stream is later; in time, a step takes less
_CONSUMER_OF = {"t3": "vocoder", "vocoder": "ingress"}


class Heartbeat(NamedTuple):
    """What a replica tells of itself, twice a second."""

    stats: StageStats
    failed: bool = False
    sessions: frozenset[SessionKey] = frozenset()  # the replica works on them and wants more
    num_tasks: int = 0  # of asyncio, in the replica's process


class StageSlots(NamedTuple):
    """The slots of one stage, summed over its replicas."""

    num_free: int
    num_total: int
    told_at: float  # time of the oldest heartbeat in the sum


class ReplicaTable:
    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._capacity = Capacity()
        self._polled_at: dict[ReplicaId, float] = {}
        self._heartbeats: dict[ReplicaId, tuple[float, Heartbeat]] = {}

    @property
    def num_followers(self) -> int:
        return len(self._polled_at)

    def note_poll(self, replica: ReplicaId) -> None:
        self._polled_at[replica] = self._now()

    def note_heartbeat(self, replica: ReplicaId, heartbeat: Heartbeat) -> None:
        self._heartbeats[replica] = (self._now(), heartbeat)

    def forget_lost(self) -> None:
        oldest = self._now() - HEARTBEAT_LOST_S
        self._heartbeats = {r: entry for r, entry in self._heartbeats.items() if entry[0] > oldest}
        oldest = self._now() - FOLLOWER_LOST_S
        self._polled_at = {r: at for r, at in self._polled_at.items() if at > oldest}

    def followers(self, stage: str) -> list[ReplicaId]:
        """Those that have polled lately."""
        oldest = self._now() - FOLLOWER_LOST_S
        return [r for r, at in self._polled_at.items() if r.stage == stage and at > oldest]

    def heartbeats(self) -> dict[ReplicaId, Heartbeat]:
        return {replica: heartbeat for replica, (_, heartbeat) in self._heartbeats.items()}

    def stages(self) -> frozenset[str]:
        """Those of which at least one replica has told a heartbeat."""
        return frozenset(replica.stage for replica in self._heartbeats)

    def sessions_of(self, stage: str | None) -> frozenset[SessionKey]:
        """What the replicas of this stage work on, or hold open."""
        sessions = (h.sessions for r, h in self.heartbeats().items() if r.stage == stage)
        return frozenset().union(*sessions)

    def wanted_from(self, stage: str) -> frozenset[SessionKey]:
        """The sessions that the consumers of this stage work on."""
        return self.sessions_of(_CONSUMER_OF.get(stage))

    def slots(self, stage: str) -> StageSlots | None:
        """None where no replica of the stage has told a heartbeat."""
        told = [entry for r, entry in self._heartbeats.items() if r.stage == stage]
        if not told:
            return None
        return StageSlots(
            sum(heartbeat.stats.slots_free for _, heartbeat in told),
            sum(heartbeat.stats.slots_total for _, heartbeat in told),
            min(at for at, _ in told),
        )

    def in_work(self) -> tuple[frozenset[SessionKey], float]:
        """The sessions that the vocoders work on, and the time of their oldest heartbeat."""
        told_at = (at for r, (at, _) in self._heartbeats.items() if r.stage == "vocoder")
        return self.sessions_of("vocoder"), min(told_at, default=-math.inf)

    @property
    def capacity(self) -> int | None:
        """Of the replicas that have told a heartbeat lately; None: not measured yet."""
        return self._capacity.follow(self._sums())

    def health(self, needed: tuple[str, ...], model: ModelState) -> Health:
        """The sums of each stage. `needed`: the stages without which nothing can be spoken."""
        sums = self._sums()
        capacity = self._capacity.follow(sums)
        if any(heartbeat.failed for heartbeat in self.heartbeats().values()):
            return health_of(HealthStatus.FAILED, sums, capacity)
        if model is not ModelState.LOADED:
            return health_of(HealthStatus.UNLOADED, sums, capacity)
        is_complete = sums.keys() >= set(needed)
        status = HealthStatus.OK if is_complete else HealthStatus.STARTING
        return health_of(status, sums, capacity)

    def _sums(self) -> dict[str, StageStats]:
        """Of each stage."""
        sums: dict[str, StageStats] = {}
        for replica, heartbeat in self.heartbeats().items():
            sums[replica.stage] = sums.get(replica.stage, StageStats()) + heartbeat.stats
        return sums


def health_of(
    status: HealthStatus, stages: dict[str, StageStats], capacity: int | None = None
) -> Health:
    """With the lateness of the latest stage. A status that is ok becomes late beyond LATE_S."""
    late_s = max((stats.late_s for stats in stages.values()), default=0.0)
    if status is HealthStatus.OK and late_s > LATE_S:
        status = HealthStatus.LATE
    return Health(status, stages, late_s, capacity, None if capacity is None else capacity > 0)
