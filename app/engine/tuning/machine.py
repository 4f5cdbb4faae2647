"""What this machine has for engines on its CPU: cores, instruction sets, memory and its bandwidth.

Knows nothing about models.
"""

import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import psutil
import torch

from app.engine.device.threads import computing_with

# The names that Linux gives the instruction sets that decide, on x86 and on ARM.
_DECISIVE = (
    "avx2",
    "avx512f",
    "avx_vnni",
    "avx512_vnni",
    "amx_bf16",
    "amx_int8",
    "asimddp",
    "i8mm",
)
_CPU_INFO = Path("/proc/cpuinfo")
_CPU_QUOTA = Path("/sys/fs/cgroup/cpu.max")
_READ_BYTES = 256 * 2**20  # more than any cache
_NUM_READS = 5  # the fastest counts


@dataclass(frozen=True, slots=True)
class Machine:
    num_cores: int  # that this process may use
    features: tuple[str, ...]  # instruction sets
    memory_bytes: int
    read_bytes_per_s: Mapping[int, float]  # of memory, by the number of threads
    load: float = 0.0  # processes that wanted a core in the minute before

    @property
    def summary(self) -> str:
        rates = [f"{rate / 1e9:.1f} GB/s ({n})" for n, rate in self.read_bytes_per_s.items()]
        return (
            f"cores: {self.num_cores}; instruction sets: {', '.join(self.features) or 'unknown'}; "
            f"memory: {self.memory_bytes / 2**30:.1f} GiB; read (threads): {', '.join(rates)}"
        )


def measure_machine() -> Machine:
    """Takes a few seconds."""
    num_cores, load = count_cores(), psutil.getloadavg()[0]
    return Machine(
        num_cores,
        features_of(_text_of(_CPU_INFO)),
        psutil.virtual_memory().total,
        {num: _read_bytes_per_s(num) for num in thread_counts(num_cores)},
        load,
    )


def thread_counts(num_cores: int) -> tuple[int, ...]:
    """The numbers of threads that are tried: 1, 2, 4 and so on, and all cores."""
    return tuple(sorted({2**power for power in range(num_cores.bit_length())} | {num_cores}))


def count_cores() -> int:
    """Those of the process's affinity and of its container's quota. Two threads of one core count
    as one."""
    allowed = len(psutil.Process().cpu_affinity())
    whole = psutil.cpu_count(logical=False) or allowed
    return max(1, min(allowed, whole, quota_of(_text_of(_CPU_QUOTA)) or allowed))


def quota_of(cpu_max: str) -> int | None:
    """Whole cores; None: no limit."""
    quota, _, period = cpu_max.strip().partition(" ")
    return max(1, int(quota) // int(period)) if quota.isdigit() else None


def features_of(cpu_info: str) -> tuple[str, ...]:
    """Of Linux' description of the processors."""
    found = re.search(r"^(?:flags|Features)\s*:(.*)$", cpu_info, re.MULTILINE)
    has = set(found[1].split()) if found is not None else set()
    return tuple(name for name in _DECISIVE if name in has)


def _text_of(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:  # another system, or no container
        return ""


def _read_bytes_per_s(num_threads: int) -> float:
    with computing_with(num_threads):
        memory = torch.ones(_READ_BYTES // torch.float32.itemsize)
        took_s = []
        for _ in range(_NUM_READS):
            began_s = time.perf_counter()
            memory.sum()
            took_s.append(time.perf_counter() - began_s)
        return _READ_BYTES / min(took_s)
