"""How the thread that owns a device runs.

Two engines in one process share a GPU, so each runs on a CUDA stream of its own. Without a GPU the
thread itself computes, and every other thread goes first: the work that a caller waits for (a
cancel passes through five processes) is short. Knows nothing about engines.
"""

import os
import sys
from collections.abc import Callable
from contextlib import suppress

import torch


def run_engine_thread(device: torch.device, work: Callable[[], None]) -> None:
    """Run the whole work of the calling thread."""
    if device.type != "cuda":
        yield_to_others()
        work()
        return
    torch.cuda.synchronize(device)  # the weights were loaded on another stream
    with torch.cuda.stream(torch.cuda.Stream(device)):  # type: ignore[no-untyped-call]
        work()


def yield_to_others() -> None:
    """From now on the calling thread, and the threads that it starts, run only where no other
    thread of the machine wants to run. A lower nice value is not enough: Linux lets a thread end
    its time slice (milliseconds) whatever its nice value, but interrupts SCHED_IDLE at once. Does
    nothing on another system, or where a sandbox refuses.
    """
    if sys.platform == "linux":
        with suppress(OSError):
            os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
