"""More nodes for the cluster of this folder: raylets of their own on this machine, which can die.
A GPU of theirs is a name that Ray counts."""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil
import ray

JOINED_WITHIN_S = 60


class Node:
    def __init__(self, num_cpus: int, num_gpus: int) -> None:
        """Waits until it has joined."""
        known = node_ids()
        address = ray.get_runtime_context().gcs_address
        command = [str(Path(sys.executable).with_name("ray")), "start", f"--address={address}"]
        options = [f"--num-cpus={num_cpus}", f"--num-gpus={num_gpus}", "--block"]
        options += ["--object-store-memory=100000000", "--disable-usage-stats"]
        self._folder = tempfile.TemporaryDirectory()  # else it tells every later server where it is
        self._process = subprocess.Popen(
            command + options,
            env=os.environ | {"RAY_TMPDIR": self._folder.name},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        give_up_at = time.monotonic() + JOINED_WITHIN_S
        while not (new := node_ids() - known):
            assert self._process.poll() is None, "the node did not start"
            assert time.monotonic() < give_up_at, "the node did not join"
            time.sleep(0.1)
        (self.node_id,) = new

    def kill(self) -> None:
        """At once, with everything that runs on it."""
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
