"""How the thread that owns a device runs.

Two engines in one process share a GPU, so each runs on a CUDA stream of its own. Without a GPU the
thread itself computes, and takes less of a core than the threads that a caller's message passes.
Knows nothing about engines.
"""

from collections.abc import Callable

import torch

from app.engine.device import cpu_share


def compute_with(num_threads: int | None) -> None:
    """From now on torch computes for the calling thread with this number of threads; None: with
    the number that its process was started with. Other threads are not concerned."""
    if num_threads is not None:
        torch.set_num_threads(num_threads)


def run_engine_thread(
    device: torch.device, work: Callable[[], None], num_threads: int | None = None
) -> None:
    """Run the whole work of the calling thread. `num_threads`: as in `compute_with`."""
    if device.type != "cuda":
        cpu_share.take(cpu_share.ENGINE)
        compute_with(num_threads)
        work()
        return
    torch.cuda.synchronize(device)  # the weights were loaded on another stream
    with torch.cuda.stream(torch.cuda.Stream(device)):  # type: ignore[no-untyped-call]
        work()
