"""The server's own account of what it was asked for: the reports of all sessions of a time.

Clients choose no ids, so the ids come from the server's log.
"""

import contextlib
import json
import re
import time
from collections import Counter
from pathlib import Path
from typing import NamedTuple

import httpx
import psutil

from deployments.server import ServerProcess

_SESSION = re.compile(r"=(/\S*?/session_[^/\s]+)")  # in the command line of Ray's raylet
SETTLED_S = 1.2  # after the end of a session: its replicas have confirmed


class Session(NamedTuple):
    session_id: str
    finish: str
    audio_s: float  # sent
    steps_after: int | None  # T3 steps that began after the abort
    marks: dict[str, float]


class SessionLog:
    def __init__(self, server: ServerProcess) -> None:
        self._url = server.url
        self._folder = _logs_of(server)
        self._num_read: Counter[Path] = Counter()

    def news(self) -> list[Session]:
        """The sessions that have ended since the last call."""
        time.sleep(SETTLED_S)
        ids = dict.fromkeys(session_id for file in self._files() for session_id in self._read(file))
        with httpx.Client(base_url=self._url, timeout=10) as client:
            answers = [client.get(f"/v1/sessions/{each}") for each in ids]
        known = (answer for answer in answers if answer.status_code == httpx.codes.OK)
        return [_session(answer.json()) for answer in known]

    def _files(self) -> list[Path]:
        return sorted(self._folder.glob("replica_*_Ingress_*.log"))

    def _read(self, path: Path) -> list[str]:
        with path.open("rb") as file:
            file.seek(self._num_read[path])
            told = file.read()
        self._num_read[path] += len(told)
        lines = (line for line in told.splitlines() if b'"session ended"' in line)
        return [str(json.loads(line)["session"]) for line in lines]


def _logs_of(server: ServerProcess) -> Path:
    """Where Serve's replicas of this server write. Ray names its folder to its processes."""
    for process in server.processes():
        with contextlib.suppress(psutil.Error):  # the process has ended since
            if (found := _SESSION.search(" ".join(process.cmdline()))) is not None:
                return Path(found[1]) / "logs" / "serve"
    raise RuntimeError("no process of the server names Ray's folder")


def _session(report: dict[str, object]) -> Session:
    return Session(
        str(report["session_id"]),
        str(report["finish"]),
        float(str(report["audio_sent_ms"])) / 1e3,
        report["steps_after_abort"],  # type: ignore[arg-type]
        report["marks"],  # type: ignore[arg-type]
    )


def stop_ms(sessions: list[Session], began_s: float, interrupted_s: float) -> float:
    """From a barge-in to the moment at which T3 had stopped all of the turn's work; 0 where T3 had
    made all of it before."""
    stopped = [
        session.marks["t3_stopped"]
        for session in sessions
        if session.marks.get("received", 0.0) >= began_s
        and "t3_stopped" in session.marks
        and session.marks["received"] <= interrupted_s
    ]
    return max(0.0, (max(stopped, default=0.0) - interrupted_s) * 1e3)
