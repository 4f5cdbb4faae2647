"""Which sessions a stage works on, and whether its consumers still want them.

Serve cannot tell a producer that its consumer has gone. So each consumer tells the registry twice a
second which sessions it wants (`app.sessions.registry.Registry.heartbeat`). The lease of a session
lapses when no consumer has wanted the session for `LEASE_S`. Knows nothing about engines or the
registry.
"""

import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from app.core import SessionKey

LEASE_S = 5.0


class Leases:
    """Use it on one event loop."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._num_open: Counter[SessionKey] = Counter()  # streams of each session
        self._wanted_s: dict[SessionKey, float] = {}

    @contextmanager
    def held(self, key: SessionKey) -> Iterator[None]:
        """While one stream of the session is open here."""
        self._num_open[key] += 1
        self._wanted_s.setdefault(key, self._now())
        try:
            yield
        finally:
            self._num_open[key] -= 1
            if not self._num_open[key]:
                del self._num_open[key], self._wanted_s[key]

    def keys(self) -> frozenset[SessionKey]:
        return frozenset(self._num_open)

    def renew(self, wanted: frozenset[SessionKey] | None) -> tuple[SessionKey, ...]:
        """Returns the sessions whose leases have lapsed. None, where the registry did not answer,
        renews all."""
        now = self._now()
        for key in self._wanted_s:
            if wanted is None or key in wanted:
                self._wanted_s[key] = now
        return tuple(key for key, at_s in self._wanted_s.items() if now - at_s > LEASE_S)
