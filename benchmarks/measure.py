"""Clocks, memory and the machine, for whatever is being measured. Knows nothing about models."""

import os
import platform
import resource
import statistics
import sys
import time
from collections.abc import Callable, Sequence

import torch

_COPIED_BYTES = 256 * 2**20
_KIB = 1024


def say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def counts(text: str) -> list[int]:
    """Of an option: "1,8,16". Raises ValueError."""
    found = [int(part) for part in text.split(",")]
    if min(found) < 1:
        raise ValueError("at least 1")
    return found


def default_device(asked: str) -> str:
    """Of an option: auto, cpu or cuda."""
    if asked != "auto":
        return asked
    return "cuda" if torch.cuda.is_available() else "cpu"


def clock(device: torch.device) -> float:
    """Seconds, once the device has done all it was given."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter()


def median(values: Sequence[float]) -> float:
    return statistics.median(values)


def copy_bandwidth(device: torch.device, rounds: int = 9) -> float:
    """Bytes per second, read and written, of a copy too large for any cache."""
    source = torch.ones(_COPIED_BYTES // 4, dtype=torch.float32, device=device)
    target = torch.empty_like(source)
    seconds = [timed(lambda: target.copy_(source), device) for _ in range(rounds)]
    return 2 * _COPIED_BYTES / median(seconds[1:])  # the first one touches the pages


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
    """On a GPU what torch has held at once, else what the process has; loading is included."""
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
