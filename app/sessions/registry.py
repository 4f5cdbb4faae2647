"""The registry: the table of sessions, the log of cancels and the table of replicas, and the waits
on them.

Lives in one event loop, of a single process or of a CancelRegistry actor. Knows nothing about Ray,
HTTP or engines.
"""

import asyncio
import math
import time
from collections.abc import Callable, Collection
from dataclasses import replace

from app.barge_in import BargeInTimes
from app.core import (
    CancelAck,
    CancelState,
    Cost,
    FinishReason,
    Health,
    Mark,
    SessionKey,
    SessionReport,
)
from app.sessions.cancel_log import CancelBatch, CancelLog
from app.sessions.cell_agreement import CellAgreement, Cells
from app.sessions.changes import Changes
from app.sessions.inventory import Drain, Inventory
from app.sessions.lost_sessions import LOST, LostSessions
from app.sessions.model_state import ModelState
from app.sessions.replica_table import Heartbeat, ReplicaTable
from app.sessions.smooth_admission import NO_WORK, SmoothAdmission, Work
from app.sessions.table import Claim, Confirmation, ReplicaId, Session, SessionEnd, SessionTable
from app.sessions.transcripts import Transcripts
from app.spoken_words import Transcript

ACK_WAIT_S = 0.05  # a cancel is answered when all have confirmed, or after this time
REACHES_VOCODER_S = 1.0  # a session that was claimed longer ago is in the vocoder, or has been


class Registry:
    def __init__(
        self,
        remember_s: float = 300.0,
        live_s: float = 1200.0,
        queue_s: float = math.inf,
        admits_all: bool = False,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        """A session that would wait longer than `queue_s` for a vocoder's slot or for its turn is
        refused. `admits_all`: sessions that make running streams stall begin too."""
        self._now = now
        self._table = SessionTable(remember_s, live_s, now)
        self._log = CancelLog(remember_s, now)
        self._transcripts = Transcripts(remember_s, now)
        self._replicas = ReplicaTable(now)
        self._cells = CellAgreement()
        self._queue_s = queue_s
        self._admits_all = admits_all
        self._admission = SmoothAdmission(now)
        self._lost = LostSessions(now)
        self._configured_s = -math.inf
        self._draining = False
        self._num_restored = 0
        self._model = ModelState.LOADED
        self._changes = Changes()

    async def configure(
        self, remember_s: float, live_s: float, queue_s: float, admits_all: bool, since_s: float
    ) -> None:
        """The constructor's limits, from an ingress that began at `since_s`. The limits of the
        ingress that began last are in force."""
        if since_s < self._configured_s:
            return
        self._configured_s = since_s
        self._table.keep_for(remember_s, live_s)
        self._log.keep_for(remember_s)
        self._transcripts.keep_for(remember_s)
        self._queue_s = queue_s
        self._admits_all = admits_all

    async def claim(self, key: SessionKey, work: Work = NO_WORK) -> Claim:
        """A session that is neither GRANTED nor CANCELLED nor a DUPLICATE has not used its id."""
        if self._draining:
            return Claim.DRAINING
        if self._model is not ModelState.LOADED:
            return Claim.UNLOADED
        if self._table.get(key) is None:
            if self._slot_s() > self._queue_s:
                return Claim.FULL
            if not self._is_smooth_with(key, work):
                if self._turn_s(key) <= self._queue_s:
                    return Claim.BUSY
                self._admission.leave(key)
                return Claim.NO_TURN
        return self._table.claim(key, work)

    async def wait_s(self, key: SessionKey) -> float:
        """Estimated seconds until a session that was refused for want of room would begin."""
        return max(self._slot_s(), self._turn_s(key))

    async def claim_group(self, key: SessionKey) -> Claim:
        return self._table.claim_group(key)

    def _is_smooth_with(self, key: SessionKey, work: Work) -> bool:
        """Whether the running streams do not stall beside the session. True where no stage has told
        what it bears, or where the stages tell it to another registry actor."""
        capacity = self._replicas.capacity
        if self._admits_all or capacity is None:
            return True
        keys, told_at = self._replicas.in_work()
        running = self._table.works(keys, told_at - REACHES_VOCODER_S)
        return self._admission.admits(key, work, running, capacity)

    def _turn_s(self, key: SessionKey) -> float:
        """The estimated wait of a session for its turn, after those that wait longer."""
        capacity = max(1, self._replicas.capacity or 1)
        return self._table.wait_s(capacity) + self._admission.ahead_s(key) / capacity

    def _slot_s(self) -> float:
        """The estimated wait for a vocoder's slot. 0 where no vocoder has told its slots, or where
        vocoders tell them to another registry actor.

        A stream lives until it is played, but its slot is free once its audio is made. So there is
        no wait where more slots were free than sessions have been claimed since."""
        slots = self._replicas.slots("vocoder")
        if slots is None or slots.num_free > self._table.num_since(slots.told_at):
            return 0.0
        return self._table.wait_s(slots.num_total) if slots.num_total else 0.0

    async def finish(self, key: SessionKey, end: SessionEnd) -> None:
        self._table.finish(key, end)
        self._transcripts.keep(key, end)
        await self._changes.notify()

    async def confirm(
        self, replica: ReplicaId, key: SessionKey, confirmation: Confirmation
    ) -> None:
        """The replica runs nothing of this session any more. Only its first call counts."""
        session = self._table.get(key)
        if session is not None and not session.has_confirmed(replica):
            session.confirmed[replica] = confirmation
            session.mark(confirmation.marks)
            if replica.stage == "t3":
                session.confirmed_at = self._now()
        await self._changes.notify()

    async def cancel(
        self,
        key: SessionKey,
        received_s: float | None = None,
        wait_s: float = ACK_WAIT_S,
        played_ms: float | None = None,
    ) -> CancelAck:
        """`received_s`: when an ingress had read the cancel. `played_ms`: as in RegistryClient. A
        session that waits for its turn is stopped at once: no engine has it, and its next claim is
        CANCELLED."""
        session, state = self._table.cancel(key)
        if played_ms is not None and state is not CancelState.UNKNOWN:
            self._transcripts.played(key, played_ms)
        if state is CancelState.UNKNOWN and key in self._admission.waiting():
            state = CancelState.STOPPED
            self._admission.leave(key)
        if state is not CancelState.ALREADY_DONE:
            if received_s is not None:
                session.mark({Mark.CANCEL_RECEIVED: received_s})
            self._log.append(key)
            await self._changes.notify()
        if state is CancelState.STOPPING:
            if await self._changes.until(lambda: self._all_confirmed(session), wait_s):
                ended = session.finish is not FinishReason.CANCELLED  # before the stop arrived
                state = CancelState.ALREADY_DONE if ended else CancelState.STOPPED
            session.mark({Mark.ACKNOWLEDGED: self._now()})
        ack = session.ack(key.session_id, state, self._now())
        return replace(ack, heard=self._transcripts.heard(key))

    async def interrupted(self, key: SessionKey, times: BargeInTimes) -> None:
        """Of a session that is remembered."""
        if (session := self._table.get(key)) is not None:
            session.barge_in = times

    async def session(self, key: SessionKey) -> SessionReport | None:
        session = self._table.get(key)
        if session is None:
            return None
        return replace(session.report(key.session_id), heard=self._transcripts.reported(key))

    async def transcript(self, key: SessionKey) -> Transcript | None:
        """As `app.synthesizer.Synthesizer.transcript`. A client may have read the last byte of its
        speech before the ingress has told the end: waits a moment for that."""
        if (session := self._table.get(key)) is not None and session.is_live:
            await self._changes.until(lambda: not session.is_live, ACK_WAIT_S)
        return self._transcripts.get(key)

    async def live(self, tenant: str | None) -> tuple[SessionKey, ...]:
        """The sessions of this tenant, or of every tenant, that are live or wait for their turn."""
        waiting = self._admission.waiting()
        of_tenant = [key for key in waiting if tenant is None or key.tenant == tenant]
        return (*self._table.live(tenant), *of_tenant)

    async def restore(
        self,
        live: Collection[SessionKey],
        cancelled: Collection[SessionKey],
        groups: Collection[SessionKey] = (),
    ) -> None:
        """What an ingress knows of the time before this registry started: its live sessions, its
        open groups and the cancels that it had acknowledged."""
        self._num_restored += 1
        for key in live:
            self._table.adopt(key)
        for key in groups:
            self._table.adopt(key, is_group=True)
        logged = self._log.keys()
        for key in cancelled:
            if key not in logged:
                self._table.cancel(key)
                self._log.append(key)
        await self._changes.notify()

    async def drain(self) -> Drain:
        """From now on no session begins."""
        self._draining = True
        return Drain(self._table.num_live(), self._num_restored)

    async def set_loaded(self, loaded: bool) -> int:
        """No session begins until the model is loaded. Returns the number of live sessions."""
        self._model = ModelState.LOADED if loaded else ModelState.UNLOADING
        return self._table.num_live()

    async def poll(
        self, replica: ReplicaId, epoch: str, cursor: int, timeout_s: float = 20.0
    ) -> CancelBatch:
        """Answers as soon as the log has cancels after `cursor`, or when the time is over. A
        replica that knows another epoch gets all that the log keeps, at once."""
        self.follow(replica)
        await self._changes.until(lambda: self._log.has_after(epoch, cursor), timeout_s)
        if replica.stage != "t3":
            await asyncio.sleep(0)  # T3's replicas are answered first: the cancel waits for them
        return self._log.after(epoch, cursor)

    def follow(self, replica: ReplicaId) -> None:
        """For a while from now on, cancels wait for this replica if its stage is t3."""
        self._replicas.note_poll(replica)

    async def heartbeat(self, replica: ReplicaId, heartbeat: Heartbeat) -> frozenset[SessionKey]:
        """Returns the sessions that the replica's consumers still want."""
        self._replicas.note_heartbeat(replica, heartbeat)
        self._forget_lost()
        if replica.stage == "ingress":
            named = self._replicas.sessions_of("ingress")
            for key in self._lost.lost(self._table.open_keys(), named):
                self._table.finish(key, LOST)
        return self._replicas.wanted_from(replica.stage)

    async def health(self, stages: tuple[str, ...]) -> Health:
        """Summed over the replicas that have told a heartbeat lately. `stages` are those without
        which nothing can be spoken."""
        self._forget_lost()
        return self._replicas.health(stages, self._model)

    async def tell_t3(self, topic: str, cost: Cost) -> None:
        """As CellAgreement.tell_t3. T3's replicas tell it again to a registry that starts anew."""
        self._cells.tell_t3(topic, cost)
        await self._changes.notify()

    async def t3_cost(self, topic: str, timeout_s: float = 20.0) -> Cost | None:
        """Answers as soon as a T3 replica has told its cost; None when the time is over."""
        await self._changes.until(lambda: self._cells.t3(topic) is not None, timeout_s)
        return self._cells.t3(topic)

    async def agree_cells(self, topic: str, cells: Cells) -> Cells:
        """The cells that a vocoder replica must have, which chose `cells` or has had them before
        this registry started."""
        return self._cells.agree(topic, cells)

    async def inventory(self) -> Inventory:
        self._forget_lost()
        self._table.num_live()  # drops the sessions that are over
        return Inventory(
            len(self._table),
            len(self._log),
            len(self._transcripts),
            self._replicas.num_followers,
            len(asyncio.all_tasks()),
            self._replicas.heartbeats(),
        )

    def _forget_lost(self) -> None:
        self._replicas.forget_lost()
        self._model = self._model.seen(self._replicas.stages())

    def _all_confirmed(self, session: Session) -> bool:
        followers = self._replicas.followers("t3")
        return session.finish is not None and all(map(session.has_confirmed, followers))
