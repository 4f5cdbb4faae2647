"""When an open socket has been idle for too long. Pure; knows nothing about sockets."""

import time
from collections.abc import Callable


class IdleClock:
    def __init__(self, idle_s: float, now: Callable[[], float] = time.monotonic) -> None:
        self._idle_s = idle_s
        self._now = now
        self.use()

    def use(self) -> None:
        self._used_s = self._now()

    def left_s(self, *, is_idle: bool) -> float:
        """The time until the socket has been idle for `idle_s`; 0 where it has. A socket that is
        not idle now is in use."""
        if not is_idle:
            self.use()
        return max(0.0, self._used_s + self._idle_s - self._now())
