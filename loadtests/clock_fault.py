"""A clock that jumps. It is the clock of the whole machine, so this fault must be asked for."""

import time
from collections.abc import Callable
from dataclasses import dataclass

from loadtests.chaos_verdict import Harm
from loadtests.faults import Fault
from loadtests.victim import Victim

JUMP_S = 3600.0


def set_clock(now_s: float) -> None:
    """Raises PermissionError."""
    time.clock_settime(time.CLOCK_REALTIME, now_s)


@dataclass
class ClockJump(Fault):
    is_allowed: bool
    set_clock: Callable[[float], None] = set_clock
    name: str = "clock that jumps"
    harm: Harm = Harm.NONE
    silences: bool = False
    lasts_s: float = 6.0
    bound_s: float = 15.0

    def missing(self, victim: Victim) -> str | None:
        if not self.is_allowed:
            return "the clock is that of the whole machine; --jump-clock allows it"
        try:
            self.set_clock(time.time())
        except PermissionError:
            return "this machine does not let its clock be set"
        return None

    def inflict(self, victim: Victim) -> None:
        self.set_clock(time.time() + JUMP_S)

    def undo(self, victim: Victim) -> None:
        self.set_clock(time.time() - JUMP_S)
