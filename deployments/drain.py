"""Drains a server before it stops: new sessions are refused, running sessions finish.

A program of its own, so that the process that stops the server need not join its cluster:
`python -m deployments.drain ADDRESS SECONDS`.
"""

import sys
import time
from collections.abc import Collection
from typing import Any

import ray
from ray.exceptions import RayActorError

from deployments.named_actors import NAMESPACE
from deployments.registry import every_registry

LOOK_AGAIN_S = 0.2
QUIET_S = 0.5  # a session ends shortly before the last bytes of its answer are sent


def drain(registries: Collection[Any], within_s: float) -> bool:
    """Returns whether all sessions of the registries ended within the time."""
    give_up_s = time.monotonic() + within_s
    quiet_since_s: float | None = None
    while (now_s := time.monotonic()) < give_up_s:
        if _num_live(registries) != 0:
            quiet_since_s = None
        elif quiet_since_s is None:
            quiet_since_s = now_s
        elif now_s - quiet_since_s > QUIET_S:
            return True
        time.sleep(LOOK_AGAIN_S)
    return False


def _num_live(registries: Collection[Any]) -> int | None:
    """Tells every registry to drain, on each call: a registry that restarted has forgotten the
    drain. The restarted registry knows a session only after an ingress has reported it. None
    while a registry does not answer."""
    try:
        counts: list[int] = ray.get([registry.drain.remote() for registry in registries])
    except RayActorError:
        return None
    return sum(counts)


if __name__ == "__main__":
    ray.init(address=sys.argv[1], namespace=NAMESPACE, log_to_driver=False, configure_logging=False)
    sys.exit(0 if drain(every_registry().values(), float(sys.argv[2])) else 1)
