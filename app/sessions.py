"""Which sessions exist, which were cancelled, and who has confirmed it.

`SessionTable` is the plain bookkeeping; `Registry` adds waiting. Both live in one event loop: of a
single process, or of the CancelRegistry actor. An id is single use: taken when its request or its
cancel arrives, whichever is first, and remembered for a while after its end. Knows nothing about
Ray, HTTP or engines.
"""

import asyncio
import contextlib
import time
import uuid
from collections import OrderedDict, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import islice
from typing import NamedTuple, Protocol

from app.core import (
    TOKENS_PER_S,
    CancelAck,
    CancelState,
    FinishReason,
    Health,
    HealthStatus,
    SessionKey,
    StageStats,
)

ACK_WAIT_S = 0.05  # the caller's answer comes when all have confirmed, or after this
MAX_REMEMBERED = 100_000  # ids; beyond it the oldest is forgotten first
REPORT_LOST_S = 3.0  # a replica that has not reported for so long is not counted
FOLLOWER_LOST_S = 30.0  # a T3 replica that has not polled for so long is not waited for


class Claim(StrEnum):
    GRANTED = "granted"
    DUPLICATE = "duplicate"  # live or remembered
    CANCELLED = "cancelled"  # its cancel overtook it


class Follower(NamedTuple):
    """A replica that follows the cancel log. Those of stage t3 confirm each cancel."""

    stage: str
    replica: str


class Report(NamedTuple):
    """What a replica says of itself, twice a second."""

    stats: StageStats
    failed: bool = False


class News(NamedTuple):
    """What a follower has not seen yet. A new epoch means the log began anew."""

    epoch: str
    cursor: int
    cancelled: tuple[SessionKey, ...]


@dataclass(slots=True)
class Session:
    """One id. Times on the table's clock."""

    taken_at: float
    claimed: bool = False  # a request has used the id
    cancelled_at: float | None = None
    finish: FinishReason | None = None  # set once, when the ingress has sent the last audio
    audio_sent_s: float = 0.0
    num_tokens_used: int = 0  # speech tokens in the audio that was sent
    confirmed_at: float | None = None  # the last time that an ingress or T3 told of its end
    generated: dict[Follower, int] = field(default_factory=dict)  # confirmed by T3 replicas

    def ack(self, session_id: str, state: CancelState, now: float) -> CancelAck:
        generated = max(sum(self.generated.values()), self.num_tokens_used)
        return CancelAck(
            session_id,
            state,
            audio_sent_ms=round(self.audio_sent_s * 1000, 3),
            tokens_generated=generated,
            tokens_discarded=max(0, generated - round(self.audio_sent_s * TOKENS_PER_S)),
            stop_ms=round(self._stop_s(now) * 1000, 3),
        )

    def _stop_s(self, now: float) -> float:
        if self.cancelled_at is None:
            return 0.0
        until = now if self.finish is None or self.confirmed_at is None else self.confirmed_at
        return max(0.0, until - self.cancelled_at)


class SessionTable:
    """No waiting, no clock of its own: `now` is injected."""

    def __init__(self, remember_s: float, live_s: float, now: Callable[[], float]) -> None:
        self._remember_s = remember_s
        self._live_s = live_s  # a claim whose ingress died is forgotten after this
        self._now = now
        self._sessions: OrderedDict[SessionKey, Session] = OrderedDict()  # oldest first

    def __len__(self) -> int:
        return len(self._sessions)

    def get(self, key: SessionKey) -> Session | None:
        self._forget()
        session = self._sessions.get(key)
        if session is not None and self._is_over(session):  # behind a live one that stays longer
            del self._sessions[key]
            return None
        return session

    def claim(self, key: SessionKey) -> Claim:
        session = self.get(key)
        if session is None:
            self._sessions[key] = Session(self._now(), claimed=True)
            return Claim.GRANTED
        if session.claimed:
            return Claim.DUPLICATE
        session.claimed = True
        session.finish = FinishReason.CANCELLED
        return Claim.CANCELLED

    def cancel(self, key: SessionKey) -> tuple[Session, CancelState]:
        """Idempotent. The state is STOPPING where there is something to stop."""
        session = self.get(key)
        if session is None:
            session = Session(self._now(), cancelled_at=self._now())
            self._sessions[key] = session
            return session, CancelState.UNKNOWN
        if session.finish is not None:
            return session, CancelState.ALREADY_DONE
        if not session.claimed:
            return session, CancelState.UNKNOWN
        if session.cancelled_at is None:
            session.cancelled_at = self._now()
        return session, CancelState.STOPPING

    def finish(
        self, key: SessionKey, reason: FinishReason, audio_sent_s: float, num_tokens: int
    ) -> None:
        """The ingress has sent the last audio of this session. The first call counts."""
        session = self.get(key)
        if session is None or session.finish is not None:
            return
        session.finish = reason
        session.audio_sent_s = audio_sent_s
        session.num_tokens_used = num_tokens
        session.taken_at = session.confirmed_at = self._now()
        self._sessions.move_to_end(key)

    def _forget(self) -> None:
        while self._sessions:
            key, oldest = next(iter(self._sessions.items()))
            if len(self._sessions) <= MAX_REMEMBERED and not self._is_over(oldest):
                return
            del self._sessions[key]

    def _is_over(self, session: Session) -> bool:
        is_live = session.claimed and session.finish is None
        keep_s = self._live_s if is_live else self._remember_s
        return self._now() - session.taken_at > keep_s


class Registry:
    """The table, the log that followers poll, and the wait for their confirmations."""

    def __init__(
        self,
        remember_s: float = 300.0,
        live_s: float = 1200.0,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self.epoch = uuid.uuid4().hex
        self._now = now
        self._table = SessionTable(remember_s, live_s, now)
        self._log: deque[tuple[float, SessionKey]] = deque(maxlen=MAX_REMEMBERED)
        self._end = 0  # number of the entry after the log's last
        self._log_s = remember_s / 2  # with as long in a stage: no longer than the id is taken
        self._followers: dict[Follower, float] = {}
        self._reports: dict[Follower, tuple[float, Report]] = {}
        self._changed = asyncio.Condition()

    async def claim(self, key: SessionKey) -> Claim:
        return self._table.claim(key)

    async def finish(
        self, key: SessionKey, reason: FinishReason, audio_sent_s: float, num_tokens: int
    ) -> None:
        self._table.finish(key, reason, audio_sent_s, num_tokens)
        await self._notify()

    async def confirm(self, follower: Follower, key: SessionKey, num_tokens: int) -> None:
        """A T3 replica runs no step of this session any more; it had generated `num_tokens`."""
        session = self._table.get(key)
        if session is not None:
            session.generated[follower] = num_tokens
            session.confirmed_at = self._now()
        await self._notify()

    async def cancel(self, key: SessionKey, wait_s: float = ACK_WAIT_S) -> CancelAck:
        session, state = self._table.cancel(key)
        if state is not CancelState.ALREADY_DONE:
            self._append(key)
            await self._notify()
        if state is CancelState.STOPPING and await self._confirmed(session, wait_s):
            state = CancelState.STOPPED
        return session.ack(key.session_id, state, self._now())

    async def poll(
        self, follower: Follower, epoch: str, cursor: int, timeout_s: float = 20.0
    ) -> News:
        """Cancels after `cursor`, as soon as there are any; all remembered ones after a restart."""
        self.follow(follower)
        if epoch != self.epoch:
            cursor = 0
        async with self._changed:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(timeout_s):
                    await self._changed.wait_for(lambda: self._end > cursor or epoch != self.epoch)
        self._prune()
        first = self._end - len(self._log)
        entries = islice(self._log, max(0, cursor - first), None)
        return News(self.epoch, self._end, tuple(key for _, key in entries))

    def follow(self, follower: Follower) -> None:
        """From now on, for a while, cancels wait for this follower if it is of stage t3."""
        self._followers[follower] = self._now()

    async def report(self, follower: Follower, report: Report) -> None:
        self._reports[follower] = (self._now(), report)

    async def health(self, stages: tuple[str, ...]) -> Health:
        """Summed over the replicas of each stage that have reported lately. `stages` are those
        that must be there."""
        oldest = self._now() - REPORT_LOST_S
        self._reports = {f: entry for f, entry in self._reports.items() if entry[0] > oldest}
        sums: dict[str, StageStats] = {}
        failed = False
        for follower, (_, report) in self._reports.items():
            failed |= report.failed
            sums[follower.stage] = sums.get(follower.stage, StageStats()) + report.stats
        missing = any(stage not in sums for stage in stages)
        if failed:
            return Health(HealthStatus.FAILED, sums)
        return Health(HealthStatus.STARTING if missing else HealthStatus.OK, sums)

    def _append(self, key: SessionKey) -> None:
        self._prune()
        self._log.append((self._now(), key))
        self._end += 1

    def _prune(self) -> None:
        while self._log and self._now() - self._log[0][0] > self._log_s:
            self._log.popleft()

    async def _confirmed(self, session: Session, wait_s: float) -> bool:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(wait_s), self._changed:
                await self._changed.wait_for(lambda: self._all_confirmed(session))
        return self._all_confirmed(session)

    def _all_confirmed(self, session: Session) -> bool:
        oldest = self._now() - FOLLOWER_LOST_S
        waited_for = [f for f, seen in self._followers.items() if f.stage == "t3" and seen > oldest]
        return session.finish is not None and all(f in session.generated for f in waited_for)

    async def _notify(self) -> None:
        async with self._changed:
            self._changed.notify_all()


class RegistryClient(Protocol):
    """The registry as an ingress sees it: in this process or an actor that may be away."""

    async def claim(self, key: SessionKey) -> Claim: ...

    async def cancel(self, key: SessionKey) -> CancelAck: ...

    def finish(
        self, key: SessionKey, reason: FinishReason, audio_sent_s: float, num_tokens: int
    ) -> None:
        """Tell it and go on: the end of a session never waits."""
        ...
