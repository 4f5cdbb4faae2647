"""Least slack first: whose cell runs next.

A stream's slack is how long its listener can still play what was sent: seconds of audio sent less
seconds since its first audio. A stream that would starve goes first; one that has sent nothing yet
starts, first come first served, once every stream that could run instead has START_MARGIN_S left.
Slack decides when a cell runs and beside whom, never what it contains. Knows nothing about torch,
tokens or devices.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import chain

from app.core import SAMPLE_RATE, SessionKey

Address = tuple[SessionKey, int]
Weight = Callable[[Address], float]
START_MARGIN_S = 1.0  # simulated at 95 % of capacity: 0.5 stalls streams for 290 ms, 1.0 none


def _no_weight(_: Address) -> float:
    return 0.0


@dataclass(slots=True)
class _Clock:
    """One session's playback: segments of a session play one after another on one clock."""

    num_segments: int = 0
    since: float | None = None  # its first audio
    sent_s: float = 0.0

    def slack_s(self, now: float) -> float:
        return START_MARGIN_S if self.since is None else self.sent_s - (now - self.since)

    def due_s(self, ready_s: float) -> float:
        """Of a cell that can run since `ready_s`: when its listener wants it. The first is wanted
        at once."""
        return ready_s if self.since is None else self.since + self.sent_s


class SlackScheduler:
    """`clock` returns seconds and never goes back."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._sessions: dict[SessionKey, _Clock] = {}
        self._ready: dict[Address, float] = {}  # since when; in order of readiness

    def add(self, address: Address) -> None:
        self._sessions.setdefault(address[0], _Clock()).num_segments += 1

    def remove(self, address: Address) -> None:
        session = self._sessions[address[0]]
        session.num_segments -= 1
        if session.num_segments == 0:
            del self._sessions[address[0]]
        self._ready.pop(address, None)

    def ready(self, address: Address) -> None:
        """The stream's next cell can run. Idempotent."""
        self._ready.setdefault(address, self._clock())

    def schedule(self, limit: int, weight: Weight = _no_weight, most: float = 0.0) -> list[Address]:
        """Take up to `limit` ready streams, most urgent first; beside the first only as many as
        weigh at most `most` together with it."""
        now = self._clock()
        urgency = {key: session.slack_s(now) for key, session in self._sessions.items()}
        taken: list[Address] = []
        for address in sorted(self._ready, key=lambda address: urgency[address[0]])[:limit]:
            most -= weight(address)
            if taken and most < 0:
                break
            taken.append(address)
            del self._ready[address]
        return taken

    def late_s(self, waiting: Mapping[Address, float]) -> float:
        """How late the most urgent cell is now, of those that can run and those that could, since
        then, but for what is not the scheduler's; 0 where none is."""
        now = self._clock()
        cells = chain(self._ready.items(), waiting.items())
        due = (self._sessions[key].due_s(since) for (key, _), since in cells)
        return max(0.0, now - min(due, default=now))

    def sent(self, address: Address, num_samples: int) -> float:
        """So much of the stream's sound has left. Gives for how long its listener had run dry."""
        if num_samples == 0:
            return 0.0
        session, now = self._sessions[address[0]], self._clock()
        late_s = 0.0 if session.since is None else max(0.0, -session.slack_s(now))
        if session.since is None or late_s:  # it starts, or goes on after a stall
            session.since = now - session.sent_s
        session.sent_s += num_samples / SAMPLE_RATE
        return late_s

    @property
    def num_ready(self) -> int:
        return len(self._ready)

    @property
    def is_empty(self) -> bool:
        return not (self._sessions or self._ready)
