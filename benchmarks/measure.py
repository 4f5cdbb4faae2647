"""Clocks, memory and the machine, for all benchmarks. Knows nothing about models."""

import os
import platform
import resource
import sys
import time
from collections.abc import Callable, Sequence
from statistics import median

import torch

_COPIED_BYTES = 256 * 2**20
_KIB = 1024


def say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def parse_counts(text: str) -> list[int]:
    """The counts of an option like "1,8,16". Raises ValueError."""
    found = [int(part) for part in text.split(",")]
    if min(found) < 1:
        raise ValueError("a count must be at least 1")
    return found


def resolve_device(option: str) -> str:
    """`option` is auto, cpu or cuda."""
    if option != "auto":
        return option
    return "cuda" if torch.cuda.is_available() else "cpu"


def clock(device: torch.device) -> float:
    """Seconds. On a GPU, waits until the device has finished its work."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter()


def quantile(values: Sequence[float], q: float) -> float | None:
    """The smallest value that is not exceeded by a share of at least `q` of the values."""
    if not values:
        return None
    ranked = sorted(values)
    return round(ranked[min(len(ranked) - 1, int(q * len(ranked)))], 3)


def copy_bandwidth(device: torch.device, rounds: int = 9) -> float:
    """Bytes per second, read plus written, of a copy that is larger than any cache."""
    source = torch.ones(_COPIED_BYTES // 4, dtype=torch.float32, device=device)
    target = torch.empty_like(source)
    seconds = [timed(lambda: target.copy_(source), device) for _ in range(rounds)]
    return 2 * _COPIED_BYTES / median(seconds[1:])  # the first round allocates the pages


def matmul_rate(device: torch.device, size: int = 2048, rounds: int = 5) -> float:
    """Floating-point operations per second of a float32 matrix product."""
    left, right = torch.randn(2, size, size, device=device)
    seconds = [timed(lambda: left @ right, device) for _ in range(rounds + 1)]
    return 2 * size**3 / median(seconds[1:])


def timed(run: Callable[[], object], device: torch.device) -> float:
    started = clock(device)
    run()
    return clock(device) - started


def peak_memory_mb(device: torch.device) -> float:
    """On a GPU the peak of torch's allocations, else that of the process, with the loading."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) / 2**20
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * _KIB / 2**20


def machine(device: torch.device) -> str:
    load = os.getloadavg()[0]
    if device.type == "cuda":
        name = torch.cuda.get_device_name(device)
    else:
        name = f"{platform.machine()}, {torch.get_num_threads()} threads of {os.cpu_count()}"
    return f"{name}, load {load:.1f}, torch {torch.__version__}"
