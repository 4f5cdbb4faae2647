"""The cancels that a process remembers. Knows nothing about engines or the registry."""

import time
from collections.abc import Callable, Iterator

from cachetools import TTLCache

from app.core import SessionKey

MAX_RECENT = 4096  # cancels; beyond this number the oldest is forgotten first


class RecentCancels:
    """For a segment that arrives after its session's cancel. A cancel is forgotten well before the
    registry forgets the id (`remember_s`), so it cannot stop a later session of the same id."""

    def __init__(self, remember_s: float, now: Callable[[], float] = time.monotonic) -> None:
        self._keys: TTLCache[SessionKey, None] = TTLCache(MAX_RECENT, remember_s / 2, now)

    def __contains__(self, key: SessionKey) -> bool:
        return key in self._keys

    def __iter__(self) -> Iterator[SessionKey]:
        return iter(self._keys)

    def add(self, key: SessionKey) -> None:
        self._keys[key] = None
