"""What `chatterbox-serve serve` does while its server runs: it obeys signals, drains, and notices
that the cluster is dead."""

import contextlib
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from app.errors import Unavailable
from deployments.cluster_processes import ClusterProcesses, HealthProbe
from deployments.cluster_watch import CLUSTER_LOST_STATUS, ClusterWatch, Part
from deployments.server import ServerProcess

LOOK_EVERY_S = 0.5


@dataclass(frozen=True)
class Orders:
    """Of the operator, set by signals."""

    stop: threading.Event = field(default_factory=threading.Event)  # at once
    drain: threading.Event = field(default_factory=threading.Event)  # then stop


def supervise(
    server: ServerProcess,
    orders: Orders,
    on_ready: Callable[[], None],
    on_drain: Callable[[], None],
) -> Part | None:
    """Returns None when the server is to be stopped, or the part that is lost."""
    watch, processes = ClusterWatch(server.gcs_silence_s), ClusterProcesses(server)
    probe = HealthProbe(server, on_ready)
    with contextlib.ExitStack() as undo:
        draining = None
        while not orders.stop.wait(LOOK_EVERY_S):
            if part := watch.lost(processes.present() | probe.present, time.monotonic()):
                return part
            if orders.drain.is_set() and draining is None:
                on_drain()
                try:
                    draining = server.start_drain()
                except Unavailable:  # no cluster is up yet
                    return None
                undo.callback(draining.kill)
            if draining is not None and (status := draining.poll()) is not None:
                return Part.ANSWERS if status == CLUSTER_LOST_STATUS else None
    return None
