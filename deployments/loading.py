"""Garbage collection while a replica loads its stage.

Loading makes 400,000 objects, and most of them stay. The collector looks through them again and
again: 6 % of the CPU time of a replica's start, and later 0.2 s for each full collection, in which
the engine stands still (vocoder, 2026-11). So the collector is off while a stage is loaded, and
every later collection leaves out what was loaded.
"""

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def without_collection() -> Iterator[None]:
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()
