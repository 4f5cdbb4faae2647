"""Which sessions a stage works on, and whether anybody still wants them.

Serve cannot tell a producer that its consumer has gone, so consumers say twice a second which
sessions they want (`app.sessions.registry.Registry.report`). A session that nobody has wanted for `LEASE_S`
has lapsed. Knows nothing about engines, nor how the wish travels.
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
        """The sessions that have lapsed. None: nobody could say, so none does."""
        now = self._now()
        for key in self._wanted_s:
            if wanted is None or key in wanted:
                self._wanted_s[key] = now
        return tuple(key for key, at_s in self._wanted_s.items() if now - at_s > LEASE_S)
