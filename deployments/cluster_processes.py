"""Which parts of a server's cluster run now, by the process table and by /health. Knows nothing
about what a missing part means."""

import math
import threading
import time
from collections.abc import Callable

import httpx
import psutil

from app.core import HealthStatus
from app.errors import Unavailable
from deployments import process_titles
from deployments.cluster_watch import Part
from deployments.process_titles import titled
from deployments.server import ServerProcess

SEARCH_EVERY_S = 3.0  # reads the environment of every process of the machine
ASK_EVERY_S = 2.0
ASK_WITHIN_S = 10.0
_NAMES = {Part.RAYLET: "raylet", Part.GCS: "gcs_server"}  # of executables
_TITLES = {Part.CONTROLLER: process_titles.CONTROLLER, Part.PROXY: process_titles.PROXY}
_WATCHED = len(_NAMES) + len(_TITLES)


class ClusterProcesses:
    """A process that was found is asked for by its id; the table is searched for the others."""

    def __init__(self, server: ServerProcess) -> None:
        self._server = server
        self._found: dict[Part, psutil.Process] = {}
        self._searched_s = -math.inf

    def present(self) -> set[Part]:
        self._found = {part: process for part, process in self._found.items() if _runs(process)}
        if len(self._found) < _WATCHED and time.monotonic() > self._searched_s + SEARCH_EVERY_S:
            self._search()
            self._searched_s = time.monotonic()
        return {*self._found, *([Part.SERVE_RUN] if self._server.is_running else [])}

    def _search(self) -> None:
        processes = [process for process in self._server.processes() if _runs(process)]
        found = {part: titled(processes, titles) for part, titles in _TITLES.items()}
        for part, name in _NAMES.items():
            found[part] = [process for process in processes if process.info["name"] == name]
        self._found |= {part: those[-1] for part, those in found.items() if those}


def _runs(process: psutil.Process) -> bool:
    """A process that has ended stays in the table as a zombie until its parent asks for it."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


class HealthProbe:
    """Asks /health in a thread of its own, from the first answer 200 on."""

    def __init__(self, server: ServerProcess, on_ready: Callable[[], None]) -> None:
        """`on_ready` is called once, in that thread."""
        self.present = frozenset[Part]()
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
                    self.present = _told(client.get("/health"), self.present)
                except httpx.HTTPError:
                    self.present -= {Part.ANSWERS}  # nothing is known of the GCS
                time.sleep(ASK_EVERY_S)


def _told(health: httpx.Response, before: frozenset[Part]) -> frozenset[Part]:
    """The parts that this answer shows. `before`: those of the answer before it. An answer of the
    proxy itself says nothing of the GCS."""
    try:
        is_away = health.json()["status"] == HealthStatus.CLUSTER_AWAY
    except (ValueError, KeyError, TypeError):
        return before | {Part.ANSWERS}
    return frozenset({Part.ANSWERS} if is_away else {Part.ANSWERS, Part.GCS_ANSWERS})
