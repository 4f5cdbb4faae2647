"""The log of cancels, which replicas read by long poll.

Entries are numbered from 0. A cursor is the number of the entry after the last one that its reader
has seen. Knows nothing about sessions, waiting or Ray.
"""

import uuid
from collections import deque
from collections.abc import Callable
from itertools import islice
from typing import NamedTuple

from app.core import SessionKey

MAX_LOGGED = 100_000  # cancels; beyond this number the oldest is dropped first


class CancelBatch(NamedTuple):
    """The cancels after a cursor. An epoch that the reader does not know means a new log."""

    epoch: str
    cursor: int
    cancelled: tuple[SessionKey, ...]


class CancelLog:
    def __init__(self, remember_s: float, now: Callable[[], float]) -> None:
        """`remember_s`: the time for which the registry remembers an id."""
        self.epoch = uuid.uuid4().hex
        self._now = now
        self._entries: deque[tuple[float, SessionKey]] = deque(maxlen=MAX_LOGGED)
        self._end = 0  # number of the entry after the last one
        self.keep_for(remember_s)

    def __len__(self) -> int:
        self._prune()
        return len(self._entries)

    def keep_for(self, remember_s: float) -> None:
        """From now on. The log keeps a cancel for half of `remember_s`, and a stage keeps it for
        the other half (app/sessions/recent_cancels.py): both forget it before its id is free."""
        self._keep_s = remember_s / 2

    def keys(self) -> frozenset[SessionKey]:
        return frozenset(key for _, key in self._entries)

    def append(self, key: SessionKey) -> None:
        self._prune()
        self._entries.append((self._now(), key))
        self._end += 1

    def has_after(self, epoch: str, cursor: int) -> bool:
        """Whether `after` gives anything that the reader has not seen."""
        return epoch != self.epoch or self._end > cursor

    def after(self, epoch: str, cursor: int) -> CancelBatch:
        """All that the log still keeps, for a reader that knows another epoch."""
        self._prune()
        first = self._end - len(self._entries)
        num_seen = max(0, cursor - first) if epoch == self.epoch else 0
        unseen = islice(self._entries, num_seen, None)
        return CancelBatch(self.epoch, self._end, tuple(key for _, key in unseen))

    def _prune(self) -> None:
        while self._entries and self._now() - self._entries[0][0] > self._keep_s:
            self._entries.popleft()
