"""Which steps each session took part in: the proof that a cancel stopped the device.

Kept for the most recent sessions, live or ended. Written by the engine's thread, read by any. On a
GPU the host runs ahead, so each step also leaves a mark in the device's stream.
"""

import threading
from collections import OrderedDict, deque
from collections.abc import Iterable
from typing import NamedTuple, Protocol, Self

from app.core import SessionKey

_STEPS_KEPT = 8192  # per session; a text of eight full segments
_MARKS_KEPT = 128  # per session, the newest: each is a resource of the device


class DeviceMark(Protocol):
    """A moment in the device's stream: a torch.cuda.Event with timing."""

    def query(self) -> bool:
        """Whether the device has come so far."""
        ...

    def elapsed_time(self, later: Self) -> float:
        """Milliseconds on the device."""
        ...


class StepLogEntry(NamedTuple):
    step: int  # counted from 1 over the engine's life
    segment: int
    started_s: float  # time.monotonic


class SessionSteps(NamedTuple):
    """A session's part in the engine's work."""

    num_steps: int
    num_after_abort: int | None  # begun after its abort was set in this process; None: no abort
    num_tokens: int  # codec ids generated


class StepLog:
    def __init__(self, num_sessions: int = 256) -> None:
        self._num_sessions = num_sessions
        self._sessions: OrderedDict[SessionKey, _Account] = OrderedDict()
        self._lock = threading.Lock()
        self._num_steps = 0

    @property
    def num_steps(self) -> int:
        """Steps begun so far."""
        return self._num_steps

    def steps_of(self, key: SessionKey) -> tuple[StepLogEntry, ...]:
        with self._lock:
            account = self._sessions.get(key)
            return () if account is None else tuple(account.entries)

    def abort(self, key: SessionKey, now_s: float) -> float:
        """The abort of this session is set. The first call counts; an unknown session's does not.
        Returns when it was. Any thread, before the engine is told.
        """
        with self._lock:
            account = self._sessions.get(key)
            if account is None:
                return now_s
            if account.aborted_s is None:
                account.aborted_s = now_s
            return account.aborted_s

    def summary(self, key: SessionKey) -> SessionSteps:
        with self._lock:
            account = self._sessions.get(key, _Account())
            after = None
            if account.aborted_s is not None:
                after = sum(entry.started_s > account.aborted_s for entry in account.entries)
            return SessionSteps(len(account.entries), after, account.num_tokens)

    def span_s(self, key: SessionKey) -> tuple[float, float] | None:
        """When its first and its last step began; None where it has had none."""
        with self._lock:
            account = self._sessions.get(key)
            if account is None or not account.entries:
                return None
            return account.entries[0].started_s, account.entries[-1].started_s

    def num_tokens_of(self, key: SessionKey) -> int:
        """Codec ids generated for the session, over its segments."""
        with self._lock:
            account = self._sessions.get(key)
            return 0 if account is None else account.num_tokens

    def device_ms(self, key: SessionKey) -> float | None:
        """Device time between the first and the last beginning of its newest steps, as far as the
        device has come; None without a GPU."""
        with self._lock:
            account = self._sessions.get(key)
            marks = [] if account is None else [mark for mark in account.marks if mark.query()]
            return marks[0].elapsed_time(marks[-1]) if marks else None

    def begin_step(
        self,
        segments: Iterable[tuple[SessionKey, int]],
        now_s: float,
        mark: DeviceMark | None = None,
    ) -> None:
        with self._lock:
            self._num_steps += 1
            for key, segment in segments:
                account = self._account(key)
                account.entries.append(StepLogEntry(self._num_steps, segment, now_s))
                del account.entries[:-_STEPS_KEPT]
                if mark is not None:
                    account.marks.append(mark)

    def count_tokens(self, key: SessionKey, num_tokens: int) -> None:
        with self._lock:
            self._account(key).num_tokens += num_tokens

    def _account(self, key: SessionKey) -> "_Account":
        account = self._sessions.setdefault(key, _Account())
        self._sessions.move_to_end(key)
        while len(self._sessions) > self._num_sessions:
            self._sessions.popitem(last=False)
        return account


class _Account:
    def __init__(self) -> None:
        self.entries: list[StepLogEntry] = []
        self.marks: deque[DeviceMark] = deque(maxlen=_MARKS_KEPT)
        self.num_tokens = 0
        self.aborted_s: float | None = None
