"""How the thread that owns a device runs.

Two engines in one process share a GPU, so each runs on a CUDA stream of its own. Without a GPU the
thread itself computes, and takes less of a core than the threads that a caller's message passes.
Knows nothing about engines.
"""

from collections.abc import Callable

import torch

from app.engine.device import cpu_share


def run_engine_thread(device: torch.device, work: Callable[[], None]) -> None:
    """Run the whole work of the calling thread."""
    if device.type != "cuda":
        cpu_share.take(cpu_share.ENGINE)
        work()
        return
    torch.cuda.synchronize(device)  # the weights were loaded on another stream
    with torch.cuda.stream(torch.cuda.Stream(device)):  # type: ignore[no-untyped-call]
        work()
