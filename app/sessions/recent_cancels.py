"""What a stage remembers of cancels. Knows nothing about engines, nor who tells it."""

import time
from collections import OrderedDict
from collections.abc import Callable, Iterator

from app.core import SessionKey

MAX_RECENT = 4096  # cancels; beyond it the oldest is forgotten first


class RecentCancels:
    """For a segment that comes after its session's cancel. Forgotten well before the registry
    forgets the id (`remember_s`): whoever may use it anew finds it free."""

    def __init__(self, remember_s: float, now: Callable[[], float] = time.monotonic) -> None:
        self._keep_s = remember_s / 2
        self._now = now
        self._since: OrderedDict[SessionKey, float] = OrderedDict()  # oldest first

    def __contains__(self, key: SessionKey) -> bool:
        since = self._since.get(key)
        return since is not None and self._now() - since <= self._keep_s

    def __iter__(self) -> Iterator[SessionKey]:
        return iter([key for key in self._since if key in self])

    def add(self, key: SessionKey) -> None:
        self._since.pop(key, None)
        self._since[key] = self._now()
        while len(self._since) > MAX_RECENT or self._now() - self._oldest() > self._keep_s:
            self._since.popitem(last=False)

    def _oldest(self) -> float:
        return next(iter(self._since.values()))
