"""Drains a server before it stops: new sessions are refused, running sessions finish.

A program of its own, so that the process that stops the server need not join its cluster:
`python -m deployments.drain ADDRESS SECONDS`. Exits with CLUSTER_LOST_STATUS where the cluster does
not answer.
"""

import os
import sys
import threading
import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from typing import Any

import ray
from ray.exceptions import RayActorError

from app.sessions.inventory import Drain
from deployments.cluster_watch import CLUSTER_LOST_STATUS
from deployments.named_actors import NAMESPACE
from deployments.registry import every_registry

LOOK_AGAIN_S = 0.2
QUIET_S = 0.5  # a session ends shortly before the last bytes of its answer are sent
RESTORED_WITHIN_S = 5.0  # a registry that restarted hears of its sessions within this time
ANSWER_WITHIN_S = 8.0  # a registry restarts in 0.5-2 s


def drain(registries: Collection[Any], within_s: float) -> bool:
    """Returns whether all sessions of the registries ended within the time."""
    give_up_s = time.monotonic() + within_s
    quiet_since_s: float | None = None
    most_restored = 0
    while (now_s := time.monotonic()) < give_up_s:
        with answered():
            now = _drain(registries)
        if now is None or now.num_live:
            quiet_since_s = None
        elif quiet_since_s is None:
            quiet_since_s = now_s
        else:
            is_restored = now.num_restored >= most_restored
            if now_s - quiet_since_s > (QUIET_S if is_restored else RESTORED_WITHIN_S):
                return True
        most_restored = max(most_restored, now.num_restored if now else 0)
        time.sleep(LOOK_AGAIN_S)
    return False


@contextmanager
def answered() -> Iterator[None]:
    """A block of calls of Ray. The process ends where the block takes too long: most of these calls
    have no time limit of their own, and hang with the cluster."""
    limit = threading.Timer(ANSWER_WITHIN_S, os._exit, (CLUSTER_LOST_STATUS,))
    limit.daemon = True
    limit.start()
    try:
        yield
    finally:
        limit.cancel()


def _drain(registries: Collection[Any]) -> Drain | None:
    """Tells every registry to drain, on each call: a registry that restarted has forgotten the
    drain. The sum over the registries; None while one of them restarts."""
    try:
        drains: list[Drain] = ray.get([registry.drain.remote() for registry in registries])
    except RayActorError:
        return None
    return Drain(sum(d.num_live for d in drains), sum(d.num_restored for d in drains))


def main(address: str, within_s: float) -> int:
    with answered():
        ray.init(address=address, namespace=NAMESPACE, log_to_driver=False, configure_logging=False)
        registries = every_registry().values()
    return 0 if drain(registries, within_s) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], float(sys.argv[2])))
