"""How much of a core a thread asks for beside other threads.

A share is a scheduling class and a nice value, which Linux keeps for each thread by itself. A
thread without privileges can ask for less and never again for more, and the threads that it starts
inherit its share. So a thread takes a share once, at its beginning. Knows nothing about engines.
"""

import os
import sys
from contextlib import suppress
from typing import NamedTuple


class CpuShare(NamedTuple):
    policy: str  # the name of a scheduling class in os: SCHED_OTHER, SCHED_BATCH, SCHED_IDLE
    nice: int  # 0..19; each step is 10 % less of a core that others want too


ENGINE = CpuShare("SCHED_BATCH", 2)  # beside a program that never pauses: 39 % of a core
LOADING = CpuShare("SCHED_BATCH", 10)  # beside an engine: 14 %


def take(share: CpuShare) -> None:
    """From now on the calling thread, and the threads that it starts, have this share, or less
    where they had less. Does nothing on another system, or where a sandbox refuses."""
    if sys.platform != "linux":
        return
    with suppress(OSError):
        os.sched_setscheduler(0, getattr(os, share.policy), os.sched_param(0))
    with suppress(OSError):
        os.setpriority(os.PRIO_PROCESS, 0, share.nice)  # 0: the calling thread alone
