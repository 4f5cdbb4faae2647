"""Least slack first: which segments' cells run next.

The slack of a session is the time that its listener can still play: seconds of audio sent, less
seconds since its playback began. Playback begins with the first audio, or when that is told, where
the first audio is held. The session with the least slack goes first. A session that has sent
nothing yet has a slack of START_MARGIN_S: it starts once every other ready session has more, and
such sessions start in the order in which they became ready. Slack decides when a cell runs and
beside which others, never what it contains. Knows nothing about torch, tokens or devices.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import chain
from math import inf

from app.core import SAMPLE_RATE, SessionKey
from app.engine.stream import SegmentKey

Weight = Callable[[SegmentKey], float]
START_MARGIN_S = 1.0  # simulated at 95 % of capacity: 0.5 stalls streams for 290 ms, 1.0 none


def _no_weight(_: SegmentKey) -> float:
    return 0.0


@dataclass(slots=True)
class _Playback:
    """What the listener of one session plays: its segments, one after another."""

    num_segments: int = 0
    is_told: bool = False  # when it begins; else it begins with the first audio
    began_s: float | None = None
    sent_s: float = 0.0

    def slack_s(self, now_s: float) -> float:
        if self.began_s is None:
            return self.sent_s or START_MARGIN_S
        return self.sent_s - (now_s - self.began_s)

    def due_s(self, ready_s: float) -> float:
        """When the listener wants a cell that became ready at `ready_s`. The first cell of a
        session is due when it is ready. A listener that has not begun might begin then."""
        return (ready_s if self.began_s is None else self.began_s) + self.sent_s


class SlackScheduler:
    """`clock` returns seconds and never goes back."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._sessions: dict[SessionKey, _Playback] = {}
        self._ready: dict[SegmentKey, float] = {}  # since when; in order of readiness

    def add(self, segment: SegmentKey, *, is_told: bool = False) -> None:
        """`is_told`: `begin` says when the session's playback begins."""
        playback = self._sessions.setdefault(segment.key, _Playback(is_told=is_told))
        playback.num_segments += 1

    def begin(self, key: SessionKey, at_s: float) -> None:
        """The session's playback begins at `at_s`."""
        if (session := self._sessions.get(key)) is not None:
            session.began_s = at_s

    def remove(self, segment: SegmentKey) -> None:
        session = self._sessions[segment.key]
        session.num_segments -= 1
        if session.num_segments == 0:
            del self._sessions[segment.key]
        self._ready.pop(segment, None)

    def ready(self, segment: SegmentKey) -> None:
        """The segment's next cell can run. Idempotent."""
        self._ready.setdefault(segment, self._clock())

    def schedule(
        self, limit: int, weight: Weight = _no_weight, max_weight: float = 0.0
    ) -> list[SegmentKey]:
        """Take at most `limit` ready segments, the most urgent first. The first is always taken,
        the others while all that are taken weigh at most `max_weight` together."""
        now_s = self._clock()
        slack_s = {key: session.slack_s(now_s) for key, session in self._sessions.items()}
        taken: list[SegmentKey] = []
        for segment in sorted(self._ready, key=lambda segment: slack_s[segment.key])[:limit]:
            max_weight -= weight(segment)
            if taken and max_weight < 0:
                break
            taken.append(segment)
            del self._ready[segment]
        return taken

    def due_s(self, waiting: Mapping[SegmentKey, float]) -> float:
        """When the most urgent cell is due; inf where there is none. `waiting` are segments that
        the caller keeps back, each with the time since when its cell could run."""
        cells = chain(self._ready.items(), waiting.items())
        due_s = (self._sessions[segment.key].due_s(ready_s) for segment, ready_s in cells)
        return min(due_s, default=inf)

    def sent(self, segment: SegmentKey, num_samples: int) -> float:
        """Count sound that has left. Returns the seconds for which the listener had run dry."""
        if num_samples == 0:
            return 0.0
        session, now_s = self._sessions[segment.key], self._clock()
        late_s = 0.0 if session.began_s is None else max(0.0, -session.slack_s(now_s))
        if late_s or (session.began_s is None and not session.is_told):
            session.began_s = now_s - session.sent_s  # playback goes on after a stall, or starts
        session.sent_s += num_samples / SAMPLE_RATE
        return late_s

    @property
    def num_ready(self) -> int:
        return len(self._ready)

    @property
    def is_empty(self) -> bool:
        return not (self._sessions or self._ready)
