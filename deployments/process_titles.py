"""The titles that Ray gives to the processes of a cluster, and the search for processes by them."""

import contextlib
from collections.abc import Iterable

import psutil

CONTROLLER = ("ray::ServeController",)
PROXY = ("ray::ProxyActor", "ray::HAProxyManager")
REGISTRY = ("ray::Registry",)
REPLICA = ("ray::ServeReplica:",)  # of any deployment


def replica_of(application: str, deployment: str) -> tuple[str, ...]:
    return (f"ray::ServeReplica:{application}:{deployment}",)


def titled(processes: Iterable[psutil.Process], titles: tuple[str, ...]) -> list[psutil.Process]:
    """Those whose command line begins with one of `titles`. Ray appends the id of a replica and the
    method that runs."""
    found = []
    for process in processes:
        with contextlib.suppress(psutil.Error):  # the process has ended since
            if " ".join(process.cmdline()).startswith(titles):
                found.append(process)
    return found
