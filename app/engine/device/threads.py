"""How the thread that owns a device runs: on a CUDA stream of its own, or behind everybody else.

Two engines in one process share a GPU and not a queue. On a host without one the thread is what
computes, and what a caller waits for meanwhile (a cancel on its way through five processes) is
short: it goes first.
"""

import os
import sys
from collections.abc import Callable
from contextlib import suppress

import torch


def on_own_terms(device: torch.device, run: Callable[[], None]) -> None:
    """Run a thread's whole work."""
    if device.type != "cuda":
        give_way()
        run()
        return
    torch.cuda.synchronize(device)  # what was loaded so far was loaded on another stream
    with torch.cuda.stream(torch.cuda.Stream(device)):  # type: ignore[no-untyped-call]
        run()


def give_way() -> None:
    """From now on the calling thread, and those that it starts, run where no other thread of the
    machine wants to. A lower nice value does not do: Linux' scheduler lets a thread end its slice
    (milliseconds) whatever it weighs, and interrupts SCHED_IDLE at once. Elsewhere, and where a
    sandbox refuses it: nothing.
    """
    if sys.platform == "linux":
        with suppress(OSError):
            os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
