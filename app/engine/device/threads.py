"""How the thread that owns a device runs.

Two engines in one process share a GPU, so each runs on a CUDA stream of its own. Without a GPU the
thread itself computes, and takes less of a core than the threads that a caller's message passes.
Knows nothing about engines.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch

from app.engine.device import cpu_share


@contextmanager
def computing_with(num_threads: int | None) -> Iterator[int]:
    """Meanwhile torch computes for the calling thread with this number of threads, which it gives;
    None: with the caller's own number. Afterwards with the caller's own number again.

    torch hands a number that one thread sets to threads that begin later. So a thread of an engine
    is told its number, even where none is configured."""
    own = torch.get_num_threads()
    if num_threads in (None, own):  # to set a number starts threads, with the caller's share
        yield own
        return
    torch.set_num_threads(num_threads)
    try:
        yield num_threads
    finally:
        torch.set_num_threads(own)


def run_engine_thread(device: torch.device, work: Callable[[], None], num_threads: int) -> None:
    """Run the whole work of the calling thread. On a CPU torch computes with `num_threads`."""
    if device.type != "cuda":
        cpu_share.take(cpu_share.ENGINE)
        with computing_with(num_threads):
            work()
        return
    torch.cuda.synchronize(device)  # the weights were loaded on another stream
    with torch.cuda.stream(torch.cuda.Stream(device)):  # type: ignore[no-untyped-call]
        work()
