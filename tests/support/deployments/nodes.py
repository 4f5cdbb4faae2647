"""More nodes for the cluster of this folder: raylets of their own on this machine, which can be
killed. Their GPUs are numbers that Ray counts."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil
import ray

from tests.support.eventually import eventually_sync

JOINED_WITHIN_S = 60


class Node:
    def __init__(self, num_cpus: int, num_gpus: int) -> None:
        """Returns when the node has joined the cluster."""
        known = node_ids()
        address = ray.get_runtime_context().gcs_address
        command = [str(Path(sys.executable).with_name("ray")), "start", f"--address={address}"]
        options = [f"--num-cpus={num_cpus}", f"--num-gpus={num_gpus}", "--block"]
        options += ["--object-store-memory=100000000", "--disable-usage-stats"]
        self._folder = (
            tempfile.TemporaryDirectory()
        )  # else every later server would find its address
        self._process = subprocess.Popen(
            command + options,
            env=os.environ | {"RAY_TMPDIR": self._folder.name},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

        def joined() -> set[str]:
            assert self._process.poll() is None, "the node did not start"
            return node_ids() - known

        (self.node_id,) = eventually_sync(joined, JOINED_WITHIN_S, "the node joins", every_s=0.1)

    def kill(self) -> None:
        """At once, with every process on the node."""
        with suppress(psutil.NoSuchProcess):
            process = psutil.Process(self._process.pid)
            doomed = [process, *process.children(recursive=True)]
            for each in doomed:
                with suppress(psutil.NoSuchProcess):
                    each.kill()
            psutil.wait_procs(doomed, timeout=10)
        self._process.wait()
        self._folder.cleanup()


def node_ids() -> set[str]:
    return {node["NodeID"] for node in ray.nodes() if node["Alive"]}


@contextmanager
def added(num: int, num_cpus: int = 8, num_gpus: int = 1) -> Iterator[list[Node]]:
    nodes: list[Node] = []
    try:
        for _ in range(num):
            nodes.append(Node(num_cpus, num_gpus))
        yield nodes
    finally:
        for node in nodes:
            node.kill()
