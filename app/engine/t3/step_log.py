"""Which steps each session took part in: the proof that a cancel stopped the engine.

Kept for the most recently used sessions, live or ended. Written by the engine's thread, read by any
thread.
"""

import threading
from collections import deque
from collections.abc import Iterable
from typing import NamedTuple

from cachetools import LRUCache

from app.core import SessionKey

_SESSIONS_KEPT = 256
_STEPS_KEPT = 8192  # per session; a text of eight full segments


class SessionSteps(NamedTuple):
    """A session's part in the engine's work."""

    num_steps: int
    num_after_abort: int | None  # begun after the abort was set in this process; None: no abort
    num_tokens: int  # codec ids generated, over all segments


class StepLog:
    def __init__(self) -> None:
        self.num_steps = 0  # begun so far, of all sessions
        self._sessions: LRUCache[SessionKey, _Account] = LRUCache(_SESSIONS_KEPT)
        self._lock = threading.Lock()

    def abort(self, key: SessionKey, now_s: float) -> float:
        """Note that the session's abort is set. Returns when it was set first.

        The abort of an unknown session is not noted. Any thread, before the engine is told.
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
            account = self._sessions.get(key) or _Account()
            num_after_abort = None
            if account.aborted_s is not None:
                num_after_abort = sum(began_s > account.aborted_s for began_s in account.began_s)
            return SessionSteps(len(account.began_s), num_after_abort, account.num_tokens)

    def span_s(self, key: SessionKey) -> tuple[float, float] | None:
        """When the session's first and last step began (time.monotonic); None before the first."""
        with self._lock:
            account = self._sessions.get(key)
            if account is None or not account.began_s:
                return None
            return account.began_s[0], account.began_s[-1]

    def begin_step(self, keys: Iterable[SessionKey], now_s: float) -> None:
        """`keys` has one entry per sequence of the step: a session may have several."""
        with self._lock:
            self.num_steps += 1
            for key in keys:
                self._account(key).began_s.append(now_s)

    def count_tokens(self, key: SessionKey, num_tokens: int) -> None:
        with self._lock:
            self._account(key).num_tokens += num_tokens

    def _account(self, key: SessionKey) -> "_Account":
        account = self._sessions.get(key)
        if account is None:
            account = self._sessions[key] = _Account()
        return account


class _Account:
    def __init__(self) -> None:
        self.began_s: deque[float] = deque(maxlen=_STEPS_KEPT)  # its newest steps
        self.num_tokens = 0
        self.aborted_s: float | None = None
