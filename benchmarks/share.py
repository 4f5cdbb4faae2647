"""Measures what a busy neighbour takes from running streams, by the share that the engines' threads
have of a core: the longest silence of a listener, and how long a cancel waits for its answer.

    python benchmarks/share.py --shares idle batch+5 batch+10 other+5 other+5/0.1ms --hogs 0 2

Each share has a process of its own, because a thread cannot take a larger share again. In it both
engines speak to `--num-streams` paced listeners, beside a talker whose turns are cancelled at
random moments. A hog is `while True: pass`, of the same login session. `other+5/0.1ms` also asks
for time slices of 0.1 ms (Linux 6.12 and later). With `--url` the same is measured on a running
server, as it is. The floor without hogs: no silence after the first sound, and an answer within one
T3 step. The last line is one JSON object.
"""

import argparse
import asyncio
import ctypes
import json
import os
import platform
import random
import re
import subprocess
import sys
import time
import uuid
from collections.abc import Callable
from functools import partial
from pathlib import Path
from statistics import median
from typing import NamedTuple

import httpx
import torch

sys.path.insert(0, str(Path(__file__).parents[1]))  # run as a script from a checkout

from app.client.speech_client import key_headers
from app.config import ServeArgs
from app.engine.device import cpu_share
from app.engine.synthesizer import LocalSynthesizer
from benchmarks.listeners import TEXT, interrupt, listen
from benchmarks.measure import machine, quantile, say
from benchmarks.speakers import LocalSpeaker, ServedSpeaker, Speaker
from loadtests.hogs import hogs

SHARE = re.compile(r"(?P<policy>idle|batch|other)(\+(?P<nice>\d+))?(/(?P<slice_ms>[\d.]+)ms)?")
SCHED_SETATTR = {"x86_64": 314, "aarch64": 274}  # the number of the system call
SETTLE_S = 1.0  # after the hogs begin


class Share(NamedTuple):
    share: cpu_share.CpuShare
    slice_ms: float | None  # None: the kernel's own

    @classmethod
    def parse(cls, text: str) -> "Share":
        """Raises ValueError."""
        found = SHARE.fullmatch(text)
        if found is None:
            raise ValueError(f"{text} is no share")
        policy = f"SCHED_{found['policy'].upper()}"
        slice_ms = None if found["slice_ms"] is None else float(found["slice_ms"])
        return cls(cpu_share.CpuShare(policy, int(found["nice"] or 0)), slice_ms)


class SchedAttr(ctypes.Structure):
    """struct sched_attr of Linux, for which Python 3.11 has no call."""

    _fields_ = (
        ("size", ctypes.c_uint32),
        ("policy", ctypes.c_uint32),
        ("flags", ctypes.c_uint64),
        ("nice", ctypes.c_int32),
        ("priority", ctypes.c_uint32),
        ("runtime_ns", ctypes.c_uint64),
        ("deadline_ns", ctypes.c_uint64),
        ("period_ns", ctypes.c_uint64),
    )


def take_with_slice(
    take: Callable[[cpu_share.CpuShare], None], slice_ms: float, share: cpu_share.CpuShare
) -> None:
    take(share)
    take_slice(slice_ms)


def take_slice(slice_ms: float) -> None:
    """Of the calling thread, which keeps its class. Raises OSError where the kernel refuses."""
    attributes = SchedAttr(
        size=ctypes.sizeof(SchedAttr),
        policy=os.sched_getscheduler(0),
        nice=os.getpriority(os.PRIO_PROCESS, 0),
        runtime_ns=round(slice_ms * 1e6),
    )
    number = SCHED_SETATTR[platform.machine()]
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.syscall(number, 0, ctypes.byref(attributes), 0):
        raise OSError(ctypes.get_errno(), "sched_setattr")


async def row(speaker: Speaker, options: argparse.Namespace, num_hogs: int) -> dict[str, object]:
    with hogs(num_hogs):
        await asyncio.sleep(SETTLE_S)
        began_s = time.monotonic()
        until_s = began_s + options.seconds
        interrupting = asyncio.ensure_future(
            interrupt(speaker, until_s, random.Random(options.seed))
        )
        listeners = (listen(speaker, until_s) for _ in range(options.num_streams))
        heard = await asyncio.gather(*listeners)
        acks_ms = await interrupting
        took_s = time.monotonic() - began_s
    streams = [one for listener in heard for one in listener]
    return {
        "hogs": num_hogs,
        "streams": len(streams),
        "first_s": {"p50": round(median(s.first_s for s in streams), 2)}
        | {"max": round(max(s.first_s for s in streams), 2)},
        "longest_silence_s": round(max(s.silence_s for s in streams), 2),
        "audio_s_per_s": round(sum(s.audio_s for s in streams) / took_s, 2),
        "acks": len(acks_ms),
        "ack_ms": {name: quantile(acks_ms, q) for name, q in (("p50", 0.5), ("p95", 0.95))},
        "load": round(os.getloadavg()[0], 1),
    }


async def rows(speaker: Speaker, options: argparse.Namespace, name: str) -> list[dict[str, object]]:
    async for _ in speaker.listen(TEXT, uuid.uuid4().hex):  # warm
        pass
    found = []
    for num_hogs in options.hogs:
        found.append({"share": name} | await row(speaker, options, num_hogs))
        say(json.dumps(found[-1]))
    return found


def measure_here(options: argparse.Namespace, name: str) -> list[dict[str, object]]:
    share, slice_ms = Share.parse(name)
    torch.set_num_threads(1)  # as Ray sets it in a replica
    cpu_share.ENGINE = share
    if slice_ms is not None:
        cpu_share.take = partial(take_with_slice, cpu_share.take, slice_ms)
    synthesizer = LocalSynthesizer.open(ServeArgs(model=options.model, device="cpu"))
    if options.loop_slice_ms is not None:
        take_slice(options.loop_slice_ms)  # the engines' threads run already
    try:
        return asyncio.run(rows(LocalSpeaker(synthesizer), options, name))
    finally:
        synthesizer.close()


async def measure_there(options: argparse.Namespace) -> list[dict[str, object]]:
    limits = httpx.Limits(max_connections=None)
    async with httpx.AsyncClient(
        base_url=options.url, timeout=300, limits=limits, headers=key_headers()
    ) as client:
        return await rows(await ServedSpeaker.of(client), options, "served")


def measure_each(options: argparse.Namespace) -> list[dict[str, object]]:
    """Each share in a process of its own."""
    found: list[dict[str, object]] = []
    for name in options.shares:
        arguments = [*sys.argv[1:], "--alone", name]
        ended = subprocess.run(
            [sys.executable, __file__, *arguments], stdout=subprocess.PIPE, text=True, check=True
        )
        found += json.loads(ended.stdout.splitlines()[-1])["rows"]
        for line in found[-len(options.hogs) :]:
            say(json.dumps(line))
    return found


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--shares", nargs="+", default=["idle", "batch+5"])
    parser.add_argument("--hogs", type=int, nargs="+", default=[0, 2])
    parser.add_argument("--num-streams", type=int, default=2)
    parser.add_argument("--seconds", type=float, default=60.0, help="of each row")
    parser.add_argument("--model", default="embedded")
    parser.add_argument(
        "--loop-slice-ms", type=float, help="time slices of the event loop's thread"
    )
    parser.add_argument("--url", help="of a running server, instead of engines in this process")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--alone", help=argparse.SUPPRESS)  # the share of this process
    options = parser.parse_args()
    for name in options.shares:
        Share.parse(name)
    return options


def main() -> None:
    options = parse()
    if options.url is not None:
        found = asyncio.run(measure_there(options))
    elif options.alone is not None:
        found = measure_here(options, options.alone)
    else:
        say(f"{options.model}; {machine(torch.device('cpu'))}; Linux {platform.release()}")
        found = measure_each(options)
    say(json.dumps({"benchmark": "share", "rows": found}))


if __name__ == "__main__":
    main()
