"""How much faster than real time a caller's sound comes."""

import time
from collections.abc import Callable


class IncomingPace:
    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._at_s = now()
        self._ahead_s = 0.0

    def came(self, sound_s: float) -> None:
        self._ahead_s = self.ahead_s + sound_s
        self._at_s = self._now()

    @property
    def ahead_s(self) -> float:
        """Sound that came before its time; a pause counts for nothing afterwards."""
        return max(0.0, self._ahead_s - (self._now() - self._at_s))
