"""The two hosts of recognisers, as the hearing benchmarks start and end them. Both have one
recogniser kept ready."""

import asyncio
import socket
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass

import psutil

from app.errors import Unavailable
from app.hearing.hearing import LocalHearing, open_hearing
from app.hearing.subprocess_host import SubprocessHost
from app.hearing_settings import HearingSettings, HostName

HOSTS: tuple[HostName, ...] = ("subprocess", "sidecar")
START_S = 60.0
# Tells when its first line has run, and then is the sidecar.
SIDECAR = """import time
print(time.monotonic(), flush=True)
import runpy
runpy.run_module("app.hearing.sidecar_server", run_name="__main__", alter_sys=True)
"""
_MIB = 2**20


@dataclass(frozen=True, slots=True)
class RunningHost:
    name: HostName
    hearing: LocalHearing
    pids: Callable[[], list[int]]  # of the processes with recognisers
    busy_pid: Callable[[], int]  # of one that has a call
    first_line_s: float | None = None  # when the first line of the sidecar's program had run

    def memory_mb(self) -> dict[str, float]:
        """The proportional set size: memory that processes share is divided among them."""
        sizes = [psutil.Process(pid).memory_full_info().pss / _MIB for pid in self.pids()]
        return {"processes": len(sizes), "sum_mb": round(sum(sizes), 1)}


@asynccontextmanager
async def running_host(name: HostName, num_recognisers: int = 2) -> AsyncIterator[RunningHost]:
    if name == "subprocess":
        settings = HearingSettings(host=name, num_recognisers=num_recognisers)
        hearing = await open_hearing(settings)
        host = hearing.host
        assert isinstance(host, SubprocessHost)
        try:
            yield RunningHost(name, hearing, lambda: host.pids, lambda: host.leased_pids[0])
        finally:
            await hearing.aclose()
        return
    port = _free_port()
    process = await start_sidecar(port, num_recognisers)
    assert process.stdout is not None
    first_line_s = float(await process.stdout.readline())
    url = f"ws://127.0.0.1:{port}"
    hearing = await open_hearing(HearingSettings(host=name, sidecar_url=url))
    try:
        await answers(hearing)
        yield RunningHost(name, hearing, lambda: [process.pid], lambda: process.pid, first_line_s)
    finally:
        await hearing.aclose()
        with suppress(ProcessLookupError):  # a benchmark has killed it
            process.kill()
        await process.wait()


async def start_sidecar(port: int, num_recognisers: int = 2) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable,
        *("-c", SIDECAR, "--port", str(port)),
        *("--num-recognisers", str(num_recognisers)),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )


async def answers(hearing: LocalHearing) -> None:
    """Returns when the host takes a call. Raises Unavailable after START_S."""
    give_up_s = time.monotonic() + START_S
    while True:
        try:
            link = await hearing.host.lease()
        except Unavailable:
            if time.monotonic() > give_up_s:
                raise
            await asyncio.sleep(0.05)
            continue
        await link.receive()  # Ready
        return await link.aclose()


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port
