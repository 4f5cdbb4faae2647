"""The number of replicas of an engine stage, from its taken slots and from how late its audio is.

Serve's own policy counts requests. A stage knows more: a T3 replica has slots for sequences, and a
vocoder whose cells are late needs another replica even if it has few streams. A config names this
policy in `autoscaling_config.policy` (deploy/serve/cluster.yaml); Serve applies its own bounds,
delays and factors to the result.
"""

import math
from collections.abc import Mapping
from typing import Any

from ray.serve.config import AutoscalingContext

from app.core import StageStats

TAKEN, TOTAL, LATE_S = "slots_taken", "slots_total", "late_s"


def load_of(stats: StageStats) -> dict[str, float]:
    """What a replica tells Serve's autoscaler (`record_autoscaling_stats`). Work that waits for a
    slot counts as a taken slot."""
    taken = float(stats.live + stats.waiting)
    return {TAKEN: taken, TOTAL: float(stats.slots_total), LATE_S: stats.late_s}


class ByLoad:
    """Serve makes one instance for each deployment."""

    def __init__(self, target: float = 0.7, late_s: float | None = None) -> None:
        """`target`: the share of slots that should be taken. `late_s`: where a cell is later than
        this, one replica is added; null: lateness adds none."""
        if not 0 < target <= 1:
            raise ValueError(f"target {target} is not in (0, 1]")
        self._target = target
        self._late_s = late_s

    def __call__(self, context: AutoscalingContext) -> tuple[int, dict[str, Any]]:
        """The wanted number of replicas, and no state."""
        told: Mapping[str, Mapping[Any, float]] = context.aggregated_metrics or {}
        taken, slots = told.get(TAKEN, {}), told.get(TOTAL, {})
        if not slots or not max(slots.values()):  # no replica has told its load yet
            return context.target_num_replicas, {}
        queued = context.total_queued_requests or 0.0
        wanted = math.ceil((sum(taken.values()) + queued) / (max(slots.values()) * self._target))
        late_s = max(told.get(LATE_S, {}).values(), default=0.0)
        if self._late_s is not None and late_s > self._late_s:
            wanted = max(wanted, context.current_num_replicas + 1)
        return max(1, wanted), {}
