"""The session table with waiting: a log of cancels that followers poll, and their confirmations.

Lives in one event loop: of a single process, or of a CancelRegistry actor. Knows nothing about
Ray, HTTP or engines.
"""

import asyncio
import contextlib
import math
import time
import uuid
from collections import deque
from collections.abc import Callable, Collection
from itertools import islice
from typing import NamedTuple

from app.core import (
    CancelAck,
    CancelState,
    Health,
    HealthStatus,
    Mark,
    SessionKey,
    SessionReport,
    StageStats,
)
from app.sessions.table import (
    MAX_REMEMBERED,
    Claim,
    Confirmation,
    ReplicaId,
    Session,
    SessionEnd,
    SessionTable,
)

ACK_WAIT_S = 0.05  # the caller's answer comes when all have confirmed, or after this
REPORT_LOST_S = 3.0  # a replica that has not reported for so long is not counted
FOLLOWER_LOST_S = 30.0  # a T3 replica that has not polled for so long is not waited for
ENGINES = frozenset(("t3", "vocoder"))
_CONSUMER_OF = {"t3": "vocoder", "vocoder": "ingress"}


class Heartbeat(NamedTuple):
    """What a replica says of itself, twice a second."""

    stats: StageStats
    failed: bool = False
    sessions: frozenset[SessionKey] = frozenset()  # that it works on, and wants more of
    num_tasks: int = 0  # of asyncio, in its process


class CancelBatch(NamedTuple):
    """What a follower has not seen yet. A new epoch means the log began anew."""

    epoch: str
    cursor: int
    cancelled: tuple[SessionKey, ...]


class Inventory(NamedTuple):
    """All that a registry holds, for whoever looks for what does not go back."""

    num_remembered: int  # ids, live ones included
    num_logged: int  # cancels
    num_followers: int
    num_tasks: int  # of asyncio, in its own process
    replicas: dict[ReplicaId, Heartbeat]  # as each has told lately


class Registry:
    """The table, the log that followers poll, and the wait for their confirmations."""

    def __init__(
        self,
        remember_s: float = 300.0,
        live_s: float = 1200.0,
        queue_s: float = math.inf,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        """No session begins that would wait longer than `queue_s` for a vocoder's slot."""
        self.epoch = uuid.uuid4().hex
        self._now = now
        self._table = SessionTable(remember_s, live_s, now)
        self._log: deque[tuple[float, SessionKey]] = deque(maxlen=MAX_REMEMBERED)
        self._end = 0  # number of the entry after the log's last
        self._log_s = remember_s / 2  # with as long in a stage: no longer than the id is taken
        self._followers: dict[ReplicaId, float] = {}
        self._reports: dict[ReplicaId, tuple[float, Heartbeat]] = {}
        self._queue_s = queue_s
        self._configured_s = -math.inf
        self._draining = False
        self._unloaded = False
        self._is_out = False  # the model's stages have ended since it was unloaded
        self._changed = asyncio.Condition()

    async def configure(
        self, remember_s: float, live_s: float, queue_s: float, since_s: float
    ) -> None:
        """As the constructor, from an ingress that began at `since_s`: the latest one's count."""
        if since_s < self._configured_s:
            return
        self._configured_s = since_s
        self._table.keep_for(remember_s, live_s)
        self._log_s = remember_s / 2  # with as long in a stage: no longer than the id is taken
        self._queue_s = queue_s

    async def claim(self, key: SessionKey, predicted_s: float = 0.0) -> Claim:
        """`predicted_s`: of its sound, by its text. Who is refused has not used the id."""
        if self._draining:
            return Claim.DRAINING
        if self._unloaded:
            return Claim.UNLOADED
        if self._table.get(key) is None and self._wait_s() > self._queue_s:
            return Claim.FULL
        return self._table.claim(key, predicted_s)

    def _wait_s(self) -> float:
        """Nobody's guess where no vocoder has reported, or another actor hears the reports. A
        stream lives until it is played, but its slot is free once its sound is made: where slots
        are, and nobody has come since that was said, there is no wait."""
        told = [(at, r.stats) for f, (at, r) in self._reports.items() if f.stage == "vocoder"]
        if not told:
            return 0.0
        free = sum(stats.slots_free for _, stats in told)
        if free > self._table.num_since(min(at for at, _ in told)):
            return 0.0
        slots = sum(stats.slots_total for _, stats in told)
        return self._table.wait_s(slots) if slots else 0.0

    async def finish(self, key: SessionKey, end: SessionEnd) -> None:
        self._table.finish(key, end)
        await self._notify()

    async def confirm(
        self, follower: ReplicaId, key: SessionKey, confirmation: Confirmation
    ) -> None:
        """A replica runs nothing of this session any more. Its first word counts."""
        session = self._table.get(key)
        if session is not None and not session.has_confirmed(follower):
            session.confirmed[follower] = confirmation
            session.mark(confirmation.marks)
            if follower.stage == "t3":
                session.confirmed_at = self._now()
        await self._notify()

    async def cancel(
        self, key: SessionKey, received_s: float | None = None, wait_s: float = ACK_WAIT_S
    ) -> CancelAck:
        """`received_s`: when an ingress had read it."""
        session, state = self._table.cancel(key)
        if state is not CancelState.ALREADY_DONE:
            if received_s is not None:
                session.mark({Mark.CANCEL_RECEIVED: received_s})
            self._append(key)
            await self._notify()
        if state is CancelState.STOPPING:
            if await self._confirmed(session, wait_s):
                state = CancelState.STOPPED
            session.mark({Mark.ACKNOWLEDGED: self._now()})
        return session.ack(key.session_id, state, self._now())

    async def session(self, key: SessionKey) -> SessionReport | None:
        session = self._table.get(key)
        return None if session is None else session.report(key.session_id)

    async def restore(
        self, live: Collection[SessionKey], cancelled: Collection[SessionKey]
    ) -> None:
        """What an ingress knows of the time before a restart: none of its cancels is lost."""
        for key in live:
            self._table.adopt(key)
        logged = {key for _, key in self._log}
        for key in cancelled:
            if key not in logged:
                self._table.cancel(key)
                self._append(key)
        await self._notify()

    async def drain(self) -> int:
        """From now on no session begins. Returns how many still live."""
        self._draining = True
        return self._table.num_live()

    async def switch(self, loaded: bool) -> int:
        """Until it is loaded again no session begins. Returns how many still live."""
        self._unloaded, self._is_out = not loaded, False
        return self._table.num_live()

    async def poll(
        self, follower: ReplicaId, epoch: str, cursor: int, timeout_s: float = 20.0
    ) -> CancelBatch:
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
        return CancelBatch(self.epoch, self._end, tuple(key for _, key in entries))

    def follow(self, follower: ReplicaId) -> None:
        """From now on, for a while, cancels wait for this follower if it is of stage t3."""
        self._followers[follower] = self._now()

    async def report(self, follower: ReplicaId, report: Heartbeat) -> frozenset[SessionKey]:
        """Gives the sessions that the stage before it wants: the heartbeat of its consumers."""
        self._reports[follower] = (self._now(), report)
        self._forget_lost()
        before = _CONSUMER_OF.get(follower.stage)
        wanted = [r.sessions for f, (_, r) in self._reports.items() if f.stage == before]
        return frozenset().union(*wanted)

    async def health(self, stages: tuple[str, ...]) -> Health:
        """Summed over the replicas of each stage that have reported lately. `stages` are those
        that must be there."""
        self._forget_lost()
        sums: dict[str, StageStats] = {}
        failed = False
        for follower, (_, report) in self._reports.items():
            failed |= report.failed
            sums[follower.stage] = sums.get(follower.stage, StageStats()) + report.stats
        missing = any(stage not in sums for stage in stages)
        if failed:
            return Health(HealthStatus.FAILED, sums)
        if self._unloaded:
            return Health(HealthStatus.UNLOADED, sums)
        return Health(HealthStatus.STARTING if missing else HealthStatus.OK, sums)

    async def inventory(self) -> Inventory:
        self._forget_lost()
        self._prune()
        self._table.num_live()  # forgets what is over
        return Inventory(
            len(self._table),
            len(self._log),
            len(self._followers),
            len(asyncio.all_tasks()),
            {follower: report for follower, (_, report) in self._reports.items()},
        )

    def _forget_lost(self) -> None:
        oldest = self._now() - REPORT_LOST_S
        self._reports = {f: entry for f, entry in self._reports.items() if entry[0] > oldest}
        self._see_what_is_loaded()
        oldest = self._now() - FOLLOWER_LOST_S
        self._followers = {f: seen for f, seen in self._followers.items() if seen > oldest}

    def _see_what_is_loaded(self) -> None:
        """What was unloaded and is there again was deployed again."""
        there = ENGINES & {follower.stage for follower in self._reports}
        self._is_out = self._unloaded and (self._is_out or not there)
        if self._is_out and there == ENGINES:
            self._unloaded = self._is_out = False

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
        return session.finish is not None and all(map(session.has_confirmed, waited_for))

    async def _notify(self) -> None:
        async with self._changed:
            self._changed.notify_all()
