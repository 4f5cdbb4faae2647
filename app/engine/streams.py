"""A thread's own CUDA stream: two engines in one process then share the device and not a queue."""

from collections.abc import Callable

import torch


def on_own_stream(device: torch.device, run: Callable[[], None]) -> None:
    """Run a thread's whole work. Where the device is the host there is no stream to own."""
    if device.type != "cuda":
        run()
        return
    torch.cuda.synchronize(device)  # what was loaded so far was loaded on another stream
    with torch.cuda.stream(torch.cuda.Stream(device)):  # type: ignore[no-untyped-call]
        run()
