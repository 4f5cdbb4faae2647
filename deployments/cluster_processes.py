"""Which parts of a server's cluster run now, by the process table and by /health. Knows nothing
about what a missing part means."""

import contextlib
import math
import threading
import time
from collections.abc import Callable

import httpx
import psutil

from app.errors import Unavailable
from deployments.cluster_watch import Part
from deployments.server import ServerProcess

SEARCH_EVERY_S = 3.0  # reads the environment of every process of the machine
ASK_EVERY_S = 2.0
ASK_WITHIN_S = 10.0
_TITLES = {  # how a process's command line begins, or the name of its executable
    Part.RAYLET: ("raylet",),
    Part.GCS: ("gcs_server",),
    Part.CONTROLLER: ("ray::ServeController",),
    Part.PROXY: ("ray::ProxyActor", "ray::HAProxyManager"),
}


class ClusterProcesses:
    """A process that was found is asked for by its id; the table is searched for the others."""

    def __init__(self, server: ServerProcess) -> None:
        self._server = server
        self._found: dict[Part, psutil.Process] = {}
        self._searched_s = -math.inf

    def present(self) -> set[Part]:
        self._found = {part: process for part, process in self._found.items() if _runs(process)}
        if len(self._found) < len(_TITLES) and time.monotonic() > self._searched_s + SEARCH_EVERY_S:
            self._search()
            self._searched_s = time.monotonic()
        return {*self._found, *([Part.SERVE_RUN] if self._server.is_running else [])}

    def _search(self) -> None:
        for process in self._server.processes():
            with contextlib.suppress(psutil.Error):  # the process has ended since
                title = " ".join(process.cmdline()).strip()
                for part, titles in _TITLES.items():
                    if process.name() in titles or title.startswith(titles):
                        self._found[part] = process


def _runs(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


class HealthProbe:
    """Asks /health in a thread of its own, from the first answer 200 on."""

    def __init__(self, server: ServerProcess, on_ready: Callable[[], None]) -> None:
        """`on_ready` is called once, in that thread."""
        self.is_answered = False  # the last time
        self._server = server
        self._on_ready = on_ready
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self) -> None:
        try:
            self._server.wait_ready(math.inf)
        except Unavailable:  # the server ended before it was ready
            return
        self._on_ready()
        with httpx.Client(base_url=self._server.url, timeout=ASK_WITHIN_S) as client:
            while True:
                try:
                    client.get("/health")
                    self.is_answered = True
                except httpx.HTTPError:
                    self.is_answered = False
                time.sleep(ASK_EVERY_S)
