"""The server's own account of what it was asked for: the reports of all sessions of a time.

Clients choose no ids, so the ids come from the server's log.
"""

import contextlib
import json
import re
import time
from collections import Counter
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import psutil

from deployments.server import ServerProcess

_SESSION = re.compile(r"=(/\S*?/session_[^/\s]+)")  # in the command line of Ray's raylet
SETTLED_S = 1.2  # after the end of a session: its replicas have confirmed


class Session(NamedTuple):
    session_id: str
    audio_s: float  # sent
    num_tokens: int  # made
    steps_after: int  # T3 steps that began after the abort
    marks: dict[str, float]
    is_complete: bool = True  # it ended by itself, and nothing of it was cut
    words: tuple[str, ...] = ()  # of its text, as sent

    @property
    def context(self) -> str:
        """What the takes of one context of a socket have in common."""
        return self.session_id.rpartition("-")[0] or self.session_id

    @property
    def received_s(self) -> float:
        return self.marks.get("received", 0.0)


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
            answers = {each: client.get(f"/v1/sessions/{each}") for each in ids}
            return [
                session_of(answer.json(), _words(client, each))
                for each, answer in answers.items()
                if answer.status_code == httpx.codes.OK
            ]

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


def _words(client: httpx.Client, session_id: str) -> tuple[str, ...]:
    """None of them where the session ended before its first sound."""
    answer = client.get(f"/v1/sessions/{session_id}/words")
    if answer.status_code != httpx.codes.OK:
        return ()
    return tuple(word["text"] for word in answer.json()["words"])


def session_of(report: dict[str, Any], words: tuple[str, ...]) -> Session:
    return Session(
        report["session_id"],
        report["audio_sent_ms"] / 1e3,
        report["tokens_generated"],
        report["steps_after_abort"] or 0,
        report["marks"],
        report["finish"] == "stop",
        words,
    )


class Waste(NamedTuple):
    """What a barge-in did not stop at once."""

    stop_ms: float  # until T3 had stopped the turn's work; 0 where T3 had nothing to do then
    num_tokens: int  # that T3 made after the stop had reached it, or that nothing had stopped


def waste_of(sessions: list[Session], began_s: float, interrupted_s: float) -> Waste:
    """Of the turn that began and was interrupted at these times. A client may tell the server
    nothing: then the later takes of the turn are spoken too."""
    begun = [each for each in sessions if began_s <= each.received_s <= interrupted_s]
    contexts = {each.context for each in begun}
    later = [
        each for each in sessions if each.received_s > interrupted_s and each.context in contexts
    ]
    stopped = [each.marks["t3_stopped"] for each in begun if "t3_stopped" in each.marks]
    stop_ms = max(0.0, (max(stopped, default=0.0) - interrupted_s) * 1e3)
    num_tokens = sum(each.steps_after for each in begun) + sum(each.num_tokens for each in later)
    return Waste(stop_ms, num_tokens)
