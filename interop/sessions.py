"""The server's own account of what it was asked for: the reports of all sessions of a time.

Clients choose no ids, so the ids come from the server's log.
"""

import re
import time
from pathlib import Path
from typing import NamedTuple

import httpx

_ENDED = re.compile(r'"session": "([A-Za-z0-9_-]+)"')
SETTLED_S = 1.2  # after the end of a session: its replicas have confirmed


class Session(NamedTuple):
    session_id: str
    finish: str
    audio_s: float  # sent
    steps_after: int | None  # T3 steps that began after the abort
    marks: dict[str, float]


class SessionLog:
    def __init__(self, url: str, log: Path) -> None:
        self._url = url
        self._log = log
        self._num_read = 0

    def news(self) -> list[Session]:
        """The sessions that have ended since the last call."""
        time.sleep(SETTLED_S)
        with self._log.open("rb") as file:
            file.seek(self._num_read)
            told = file.read()
        self._num_read += len(told)
        lines = [
            line for line in told.decode(errors="replace").splitlines() if "session ended" in line
        ]
        ids = dict.fromkeys(found[1] for line in lines if (found := _ENDED.search(line)))
        with httpx.Client(base_url=self._url, timeout=10) as client:
            answers = [client.get(f"/v1/sessions/{each}") for each in ids]
        return [
            _session(answer.json()) for answer in answers if answer.status_code == httpx.codes.OK
        ]


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
