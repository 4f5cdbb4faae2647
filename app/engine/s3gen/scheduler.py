"""Least slack first: which segments' cells run next.

The slack of a session is the time that its listener can still play: seconds of audio sent, less
seconds since its playback began. Playback begins with the first audio, or when that is told, where
the first audio is held. The session with the least slack goes first. A session that has sent
nothing yet has a slack of START_MARGIN_S: it starts once every other ready session has more, and
such sessions start in the order in which they became ready. Slack decides when a cell runs and
beside which others, never what it contains.

Segments are heard in order. Sound of a later one is no slack while an earlier one is open, and its
cells run behind those that some listener needs first.

One more cell in a call makes the listeners of the others wait longer, and saves a call of its own,
which every other session would wait for. The cost of a call and the number of sessions decide which
weighs more, and whether a first cell waits for one that is almost there. Knows nothing about torch,
tokens or devices.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from math import inf

from app.core import SAMPLE_RATE, Cost, SessionKey
from app.engine.stream import SegmentKey

Weight = Callable[[SegmentKey], float]
START_MARGIN_S = 1.0  # simulated at 95 % of capacity: 0.5 stalls streams for 290 ms, 1.0 none


def _no_weight(_: SegmentKey) -> float:
    return 0.0


@dataclass(slots=True)
class _Playback:
    """What the listener of one session plays: its segments, one after another."""

    is_told: bool = False  # when it begins; else it begins with the first audio
    began_s: float | None = None
    sent_s: float = 0.0  # seconds of sound up to the end of what is made of the first open segment
    made_s: dict[int, float] = field(default_factory=dict)  # of each open segment

    @property
    def first(self) -> int:
        """The open segment that is heard first."""
        return min(self.made_s)

    def play(self, sound_s: float, now_s: float) -> float:
        """The listener may play so much more. Returns the seconds for which it had run dry."""
        if not sound_s:
            return 0.0
        late_s = 0.0 if self.began_s is None else max(0.0, -self.slack_s(now_s))
        if late_s or (self.began_s is None and not self.is_told):
            self.began_s = now_s - self.sent_s  # playback goes on after a stall, or starts
        self.sent_s += sound_s
        return late_s

    def slack_s(self, now_s: float) -> float:
        if self.began_s is None:
            return self.sent_s or START_MARGIN_S
        return self.sent_s - (now_s - self.began_s)

    def due_s(self, segment: int, ready_s: float) -> float:
        """When the listener wants a cell that became ready at `ready_s`. The first cell of a
        session is due when it is ready. A listener that has not begun might begin then."""
        ahead_s = 0.0 if segment == self.first else self.made_s[segment]
        return (ready_s if self.began_s is None else self.began_s) + self.sent_s + ahead_s


class SlackScheduler:
    """`clock` returns seconds and never goes back."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._sessions: dict[SessionKey, _Playback] = {}
        self._ready: dict[SegmentKey, float] = {}  # since when; in order of readiness
        self._coming: dict[SegmentKey, float] = {}  # since when tokens came; inf: a cell has run

    def add(self, segment: SegmentKey, *, is_told: bool = False) -> None:
        """`is_told`: `begin` says when the session's playback begins."""
        session = self._sessions.setdefault(segment.key, _Playback(is_told))
        session.made_s[segment.segment] = 0.0

    def begin(self, key: SessionKey, at_s: float) -> None:
        """The session's playback begins at `at_s`."""
        if (session := self._sessions.get(key)) is not None:
            session.began_s = at_s

    def remove(self, segment: SegmentKey) -> None:
        session = self._sessions[segment.key]
        was_first = segment.segment == session.first
        del session.made_s[segment.segment]
        if not session.made_s:
            del self._sessions[segment.key]
        elif was_first:
            session.play(session.made_s[session.first], self._clock())
        self._ready.pop(segment, None)
        self._coming.pop(segment, None)

    def came(self, segment: SegmentKey) -> None:
        """Tokens of the segment came. Idempotent: the first ones count."""
        self._coming.setdefault(segment, self._clock())

    def ready(self, segment: SegmentKey) -> None:
        """The segment's next cell can run. Idempotent."""
        self._ready.setdefault(segment, self._clock())

    def schedule(
        self,
        limit: int,
        weight: Weight = _no_weight,
        max_weight: float = 0.0,
        cost: Cost | None = None,
    ) -> list[SegmentKey]:
        """Take at most `limit` ready segments, the most urgent first; none in a pause. The first is
        always taken. Others are taken while all that are taken weigh at most `max_weight` together,
        where the sessions gain by it: `cost`, of a cell by its weight; None: not known, and taken
        to be the same with more cells."""
        if self.pause_s(limit, weight, cost):
            return []
        now_s = self._clock()
        order = {segment: self._order(segment, now_s) for segment in self._ready}
        taken: list[SegmentKey] = []
        weights: list[float] = []
        for segment in sorted(order, key=order.__getitem__):
            own = weight(segment)
            if taken and (len(taken) == limit or sum(weights) + own > max_weight):
                break
            if not taken or cost is None or self._gain_s(weights, own, cost) >= 0:
                taken.append(segment)
                weights.append(own)
        for segment in taken:
            del self._ready[segment]
            self._coming[segment] = inf
        return taken

    def pause_s(self, limit: int, weight: Weight, cost: Cost | None) -> float:
        """How long first cells that are ready still wait for one that is almost there, to run
        beside it; 0 where any other cell is ready.

        A segment is almost there where its first tokens came at most `base_s` before or after those
        of the first of these. Where the sessions gain by one more cell in the call, these wait
        for it at most `base_s`: so much of a call of its own is saved.
        """
        if cost is None or not 0 < len(self._ready) < limit:
            return 0.0
        first, ready_s = next(iter(self._ready.items()))
        left_s = ready_s + cost.base_s - self._clock()
        if left_s <= 0 or any(map(self._has_sent, self._ready)):
            return 0.0
        weights = [weight(segment) for segment in self._ready]
        if self._gain_s(weights, weights[0], cost) < 0:
            return 0.0
        began_s = self._coming.get(first, inf)
        is_expected = any(
            segment not in self._ready and abs(came_s - began_s) <= cost.base_s
            for segment, came_s in self._coming.items()
        )
        return left_s if is_expected else 0.0

    def _gain_s(self, weights: Sequence[float], own: float, cost: Cost) -> float:
        """What all sessions together wait less where one more cell is part of a call, and not of a
        call of its own. Each row of a call is computed to the length of the longest."""
        num = len(weights)
        more = (num + 1) * max(*weights, own) - num * max(weights)
        added_s = more * cost.each_s
        return (len(self._sessions) - num) * (cost.of(own) - added_s) - num * added_s

    def _order(self, segment: SegmentKey, now_s: float) -> tuple[bool, float]:
        session = self._sessions[segment.key]
        return segment.segment != session.first, session.slack_s(now_s)

    def _has_sent(self, segment: SegmentKey) -> bool:
        return self._sessions[segment.key].sent_s > 0

    def due_s(self, waiting: Mapping[SegmentKey, float]) -> float:
        """When the most urgent cell is due; inf where there is none. `waiting` are segments that
        the caller keeps back, each with the time since when its cell could run."""
        cells = chain(self._ready.items(), waiting.items())
        sessions = self._sessions
        due_s = (sessions[s.key].due_s(s.segment, ready_s) for s, ready_s in cells)
        return min(due_s, default=inf)

    def sent(self, segment: SegmentKey, num_samples: int) -> float:
        """Count sound that has left. Returns the seconds for which the listener had run dry."""
        session, sound_s = self._sessions[segment.key], num_samples / SAMPLE_RATE
        session.made_s[segment.segment] += sound_s
        return session.play(sound_s, self._clock()) if segment.segment == session.first else 0.0

    @property
    def num_ready(self) -> int:
        return len(self._ready)

    @property
    def is_empty(self) -> bool:
        return not (self._sessions or self._ready)
