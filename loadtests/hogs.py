"""Busy programs beside a server. They belong to the login session of the caller."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

HOG = (sys.executable, "-c", "while True: pass")


@contextmanager
def hogs(num: int) -> Iterator[None]:
    running = [subprocess.Popen(HOG) for _ in range(num)]
    try:
        yield
    finally:
        for process in running:
            process.kill()
            process.wait()
