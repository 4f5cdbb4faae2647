"""How a replica loads its stage: on a thread that leaves the cores to engines that run.

Imports and loading take seconds of a core, and a new replica starts beside engines that speak. The
thread that loads takes a small share. The threads that serve are started by another thread, because
a share is inherited and cannot be made larger again.

The garbage collector is off meanwhile. Loading makes 400,000 objects, and most of them stay. The
collector looks through them again and again: 6 % of the CPU time of a replica's start, and later
0.2 s for each full collection, in which the engine stands still (vocoder, 2026-11). So every later
collection leaves out what was loaded.
"""

import gc
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from typing import TypeVar

from app.engine.device import cpu_share

StageT = TypeVar("StageT")
yield_to_engines = partial(cpu_share.take, cpu_share.LOADING)  # of the calling thread, for good


def load(open_stage: Callable[[], StageT]) -> StageT:
    """What `open_stage` returns. It must start no thread that serves."""
    with _without_collection(), ThreadPoolExecutor(1, "loading", yield_to_engines) as thread:
        return thread.submit(open_stage).result()


@contextmanager
def _without_collection() -> Iterator[None]:
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()
