"""Which parts of a cluster count as there."""

import subprocess
import sys
from typing import Any

import psutil

from deployments.cluster_processes import ClusterProcesses
from deployments.cluster_watch import Part
from tests.support.eventually import eventually_sync


class OneProcess:
    """A server whose cluster is one process with this name."""

    is_running = True

    def __init__(self, process: Any, name: str) -> None:
        self._process = process
        process.info = {"name": name}

    def processes(self) -> list[psutil.Process]:
        return [self._process]


def test_a_part_is_there_until_its_process_ends_though_nobody_asks_for_its_status():
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as raylet:
        process = psutil.Process(raylet.pid)
        server = OneProcess(process, "raylet")
        assert ClusterProcesses(server).present() == {Part.SERVE_RUN, Part.RAYLET}  # type: ignore[arg-type]
        raylet.kill()
        eventually_sync(lambda: process.status() == psutil.STATUS_ZOMBIE, 30, "it has ended")
        assert ClusterProcesses(server).present() == {Part.SERVE_RUN}  # type: ignore[arg-type]
