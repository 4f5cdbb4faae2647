"""Which sessions exist, which were cancelled, and which replicas have confirmed that.

An id is used once. It is taken when its request or its cancel arrives, and remembered for a while
after its end. Knows nothing about waiting, Ray, HTTP or engines.
"""

import heapq
import math
from collections import OrderedDict
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple

from app.barge_in import BargeInTimes
from app.core import (
    NO_COSTS,
    NO_MARKS,
    TOKENS_PER_S,
    CancelAck,
    CancelState,
    Costs,
    FinishReason,
    Mark,
    Marks,
    SessionKey,
    SessionReport,
)
from app.sessions.smooth_admission import NO_WORK, Work
from app.sessions.timeline import all_legs, merged
from app.spoken_words import Transcript

# A second of the estimate may play for 16: a script of 3 characters a second, at a speed of 0.25.
LONGEST_PER_PREDICTED = 16
MAX_GROUPS = 10_000  # open; beyond this number the oldest is forgotten
MAX_REMEMBERED = 100_000  # ids; beyond this number the oldest is forgotten first


class Claim(StrEnum):
    GRANTED = "granted"
    DUPLICATE = "duplicate"  # the id is live or remembered
    CANCELLED = "cancelled"  # the session's cancel arrived before its request
    DRAINING = "draining"  # the server is about to stop: no session begins
    FULL = "full"  # no slot will be free in time
    BUSY = "busy"  # running streams would stall: ask again soon
    NO_TURN = "no_turn"  # running streams would stall, and the session's turn comes too late
    UNLOADED = "unloaded"  # no session begins until the model is loaded


class ReplicaId(NamedTuple):
    """A replica that follows the cancel log. A cancel waits for the replicas of stage t3."""

    stage: str
    replica: str


class Confirmation(NamedTuple):
    """A replica's engine runs nothing of a session any more."""

    num_tokens: int  # speech tokens that the engine had generated, or voiced
    num_after: int | None = None  # steps or cells begun after the abort; None: it ran nothing
    marks: Marks = NO_MARKS


class SessionEnd(NamedTuple):
    """How a session ended, as the ingress saw it."""

    reason: FinishReason
    audio_sent_s: float = 0.0
    num_tokens: int = 0  # speech tokens in that audio
    marks: Marks = NO_MARKS
    cause: str = "finished"  # or "cancel", "disconnect", "reader_stalled", or an error's code
    is_stream: bool = False  # the listener played it while it arrived
    num_underruns: int = 0  # how often the listener ran out of audio
    stalled_s: float = 0.0  # the time without audio, in all
    costs: Costs = NO_COSTS  # the engines' when its first sound was made
    transcript: Transcript | None = None  # None: it has no account of its words
    played_ms: float | None = None  # of that sound, by the client's clock, where it told that


@dataclass(slots=True)
class Session:
    """One id. Times are on the table's clock."""

    taken_at: float
    claimed: bool = False  # a request has used the id
    work: Work = NO_WORK
    live_s: float = math.inf  # after this time the id is free again, even if its ingress died
    cancelled_at: float | None = None
    finish: FinishReason | None = None  # set once, when the ingress has sent the last audio
    cause: str | None = None  # set with `finish`, as SessionEnd names it
    audio_sent_s: float = 0.0
    num_tokens_used: int = 0  # speech tokens in the audio that was sent
    confirmed_at: float | None = None  # the last time that an ingress or T3 confirmed the end
    confirmed: dict[ReplicaId, Confirmation] = field(default_factory=dict)
    marks: Marks = field(default_factory=dict)
    costs: Costs = field(default_factory=dict)
    barge_in: BargeInTimes | None = None

    def ack(self, session_id: str, state: CancelState, now: float) -> CancelAck:
        return CancelAck(
            session_id,
            state,
            audio_sent_ms=round(self.audio_sent_s * 1000, 3),
            tokens_generated=self._num_generated,
            tokens_discarded=self._num_discarded,
            stop_ms=round(self._stop_s(now) * 1000, 3),
        )

    def report(self, session_id: str) -> SessionReport:
        return SessionReport(
            session_id,
            self.finish,
            audio_sent_ms=round(self.audio_sent_s * 1000, 3),
            tokens_generated=self._num_generated,
            tokens_discarded=self._num_discarded,
            steps_after_abort=self._num_after("t3"),
            cells_after_abort=self._num_after("vocoder"),
            marks=self.marks,
            cause=self.cause,
            legs_ms=all_legs(self.marks),
            costs=self.costs,
            barge_in=self.barge_in,
        )

    @property
    def is_live(self) -> bool:
        return self.claimed and self.finish is None

    def has_confirmed(self, replica: ReplicaId) -> bool:
        return replica in self.confirmed

    def mark(self, marks: Marks) -> None:
        self.marks = merged(self.marks, marks)

    @property
    def _num_generated(self) -> int:
        confirmed = sum(c.num_tokens for r, c in self.confirmed.items() if r.stage == "t3")
        return max(confirmed, self.num_tokens_used)

    @property
    def _num_discarded(self) -> int:
        num_sent = round(self.audio_sent_s * TOKENS_PER_S)  # known with `finish`
        return 0 if self.finish is None else max(0, self._num_generated - num_sent)

    def _num_after(self, stage: str) -> int | None:
        confirmed = (c.num_after for r, c in self.confirmed.items() if r.stage == stage)
        counts = [num for num in confirmed if num is not None]
        return sum(counts) if counts else None

    def _stop_s(self, now: float) -> float:
        if self.cancelled_at is None:
            return 0.0
        until = now if self.finish is None or self.confirmed_at is None else self.confirmed_at
        return max(0.0, until - self.cancelled_at)


class SessionTable:
    """`now`: the clock, in seconds."""

    def __init__(self, remember_s: float, live_s: float, now: Callable[[], float]) -> None:
        self._remember_s = remember_s
        self._live_s = live_s
        self._now = now
        self._sessions: OrderedDict[SessionKey, Session] = OrderedDict()  # oldest first
        self._live: dict[SessionKey, Session] = {}
        self._groups: OrderedDict[SessionKey, Session] = OrderedDict()  # that are open

    def __len__(self) -> int:
        return len(self._sessions) + len(self._groups)

    def keep_for(self, remember_s: float, live_s: float) -> None:
        """From now on. A live session keeps the `live_s` that it began with."""
        self._remember_s = remember_s
        self._live_s = live_s

    def get(self, key: SessionKey) -> Session | None:
        self._forget()
        if (group := self._groups.get(key)) is not None:
            return group
        session = self._sessions.get(key)
        if session is not None and self._is_over(session):  # it stands behind a live one
            self._drop(key)
            return None
        return session

    def claim(self, key: SessionKey, work: Work = NO_WORK) -> Claim:
        session = self.get(key)
        if session is None:
            now = self._now()
            live_s = self._live_s + LONGEST_PER_PREDICTED * work.predicted_s
            session = Session(now, True, work, live_s, marks={Mark.CLAIMED: now})
            self._sessions[key] = self._live[key] = session
            return Claim.GRANTED
        if session.claimed:
            return Claim.DUPLICATE
        session.claimed = True
        session.finish, session.cause = FinishReason.CANCELLED, "cancel"
        return Claim.CANCELLED

    def claim_group(self, key: SessionKey) -> Claim:
        """As `claim`, for an id that stands for several sessions and is no live session itself."""
        if self.get(key) is not None:
            return self.claim(key)
        while len(self._groups) >= MAX_GROUPS:
            self._groups.popitem(last=False)
        # Without the mark CLAIMED: the id is taken before the group's first text is received.
        self._groups[key] = Session(self._now(), claimed=True)
        return Claim.GRANTED

    def cancel(self, key: SessionKey) -> tuple[Session, CancelState]:
        """Idempotent. STOPPING where the session is live."""
        if (session := self.get(key)) is None:
            now = self._now()
            session = Session(now, cancelled_at=now, marks={Mark.CANCEL_LOGGED: now})
            self._sessions[key] = session
            return session, CancelState.UNKNOWN
        if session.finish is not None:
            return session, CancelState.ALREADY_DONE
        if not session.claimed:
            return session, CancelState.UNKNOWN
        if session.cancelled_at is None:
            session.cancelled_at = self._now()
            session.mark({Mark.CANCEL_LOGGED: session.cancelled_at})
        return session, CancelState.STOPPING

    def finish(self, key: SessionKey, end: SessionEnd) -> None:
        """The ingress has sent the last audio of this session. Only the first call counts."""
        session = self.get(key)
        if session is None or session.finish is not None:
            return
        self._live.pop(key, None)
        if self._groups.pop(key, None) is not None:
            self._sessions[key] = session
        session.finish = end.reason
        session.cause = end.cause
        session.audio_sent_s = end.audio_sent_s
        session.num_tokens_used = end.num_tokens
        session.costs = end.costs
        session.mark(end.marks)
        session.taken_at = session.confirmed_at = self._now()
        self._sessions.move_to_end(key)

    def open_keys(self) -> frozenset[SessionKey]:  # of live sessions and open groups
        return frozenset((*self._live, *self._groups))

    def num_live(self) -> int:
        self._forget()
        return len(self._live)

    def live(self, tenant: str | None) -> tuple[SessionKey, ...]:
        """The live sessions of this tenant, or of every tenant."""
        self._forget()
        return tuple(key for key in self._live if tenant in (None, key.tenant))

    def num_since(self, at: float) -> int:
        """The number of live sessions that were claimed at `at` or later."""
        return sum(session.taken_at >= at for session in self._live.values())

    def works(self, keys: Collection[SessionKey], since: float) -> list[Work]:
        """Of the live sessions with these keys, and of those that were claimed after `since`."""
        self._forget()
        live = self._live.items()
        return [s.work for key, s in live if key in keys or s.taken_at >= since]

    def wait_s(self, slots: int) -> float:
        """Seconds until one of `slots` slots is free for a further session. Assumes that the live
        sessions got their slots in the order of their claims, and that each session holds its slot
        for `predicted_s`."""
        self._forget()
        now, ends = self._now(), list[float]()
        for session in self._live.values():
            begun = session.taken_at
            if len(ends) == slots:
                begun = max(begun, heapq.heappop(ends))
            heapq.heappush(ends, max(now, begun + session.work.predicted_s))
        return ends[0] - now if len(ends) == slots else 0.0

    def adopt(self, key: SessionKey, *, is_group: bool = False) -> None:
        """A live session, or an open group, that was claimed from an earlier registry."""
        if is_group:
            self.claim_group(key)
        elif self.get(key) is None:
            session = Session(self._now(), claimed=True, live_s=self._live_s)
            self._sessions[key] = self._live[key] = session

    def _forget(self) -> None:
        while self._sessions:
            key, oldest = next(iter(self._sessions.items()))
            if len(self._sessions) <= MAX_REMEMBERED and not self._is_over(oldest):
                return
            self._drop(key)

    def _drop(self, key: SessionKey) -> None:
        del self._sessions[key]
        self._live.pop(key, None)

    def _is_over(self, session: Session) -> bool:
        keep_s = session.live_s if session.is_live else self._remember_s
        return self._now() - session.taken_at > keep_s
