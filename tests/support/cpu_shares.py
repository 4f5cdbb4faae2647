"""The share of a core that each thread of this process has, and programs that want whole cores."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil

POLICIES = {getattr(os, name): name for name in ("SCHED_OTHER", "SCHED_BATCH", "SCHED_IDLE")}


def share_of(thread: int) -> tuple[str, int]:
    """Scheduling class and nice value. 0: the calling thread."""
    return POLICIES[os.sched_getscheduler(thread)], os.getpriority(os.PRIO_PROCESS, thread)


def shares() -> dict[int, tuple[str, int]]:
    """By the number of the thread. A thread that ends while it is asked is left out."""
    found: dict[int, tuple[str, int]] = {}
    for task in Path("/proc/self/task").iterdir():
        with suppress(ProcessLookupError):
            found[int(task.name)] = share_of(int(task.name))
    return found


@contextmanager
def hogs(num: int, core: int) -> Iterator[list[psutil.Process]]:
    """Programs of this session that never pause, all on one core."""
    program = f"import os\nos.sched_setaffinity(0, {{{core}}})\nwhile True: pass"
    running = [subprocess.Popen([sys.executable, "-c", program]) for _ in range(num)]
    try:
        yield [psutil.Process(process.pid) for process in running]
    finally:
        for process in running:
            process.kill()
            process.wait()
