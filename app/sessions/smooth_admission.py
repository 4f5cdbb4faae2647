"""Which sessions may begin beside running streams, and which wait for their turn.

A session waits where it would make running streams stall: where the work of the sessions that the
engines have would then be more than the server's capacity. While no stream runs, each session
begins, so a lone caller is never refused. A session that waits asks again and again. Knows nothing
about engines, registries or sound.
"""

import math
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from app.core import SessionKey

ASKS_WITHIN_S = 1.0  # a session that waits and does not ask for this time has left


class Work(NamedTuple):
    """What a session asks of the engines."""

    predicted_s: float = 0.0  # seconds of audio, estimated from the text
    is_stream: bool = False  # its listener plays it as it comes
    speed: float = 1.0  # of a stream: its listener takes this number of seconds in one
    goes_on: bool = False  # a part of a stream that plays already

    @property
    def weight(self) -> float:
        """In streams at speed 1. A whole file gives way to streams once its start is made, and
        weighs as much as one of them until then."""
        return self.speed if self.is_stream else 1.0


NO_WORK = Work()


class _Waiting(NamedTuple):
    work: Work
    asked_s: float


class SmoothAdmission:
    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._waiting: dict[SessionKey, _Waiting] = {}  # the one that has waited longest is first

    def admits(self, key: SessionKey, work: Work, running: Iterable[Work], capacity: int) -> bool:
        """Whether the session may begin beside those that the engines have now; else it waits."""
        self._forget()
        works = list(running)
        room = max(1, capacity) - sum(one.weight for one in works)
        if not any(one.is_stream for one in works):
            room = math.inf
        is_next = not any(waiting.work.weight <= room for waiting in self._before(key))
        if work.goes_on or (work.weight <= room and is_next):
            self.leave(key)
            return True
        self._waiting[key] = _Waiting(work, self._now())
        return False

    def leave(self, key: SessionKey) -> None:
        """The session waits no longer."""
        self._waiting.pop(key, None)

    def waiting(self) -> frozenset[SessionKey]:
        """The sessions that wait for their turn now."""
        self._forget()
        return frozenset(self._waiting)

    def ahead_s(self, key: SessionKey) -> float:
        """Seconds of audio that are predicted for the sessions that wait before this one."""
        self._forget()
        return sum(waiting.work.predicted_s for waiting in self._before(key))

    def _before(self, key: SessionKey) -> Iterator[_Waiting]:
        """Those that have waited longer than this session."""
        for other, waiting in self._waiting.items():
            if other == key:
                return
            yield waiting

    def _forget(self) -> None:
        oldest_s = self._now() - ASKS_WITHIN_S
        self._waiting = {k: w for k, w in self._waiting.items() if w.asked_s >= oldest_s}
