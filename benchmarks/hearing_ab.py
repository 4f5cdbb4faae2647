"""Compares the two hosts of recognisers, in turns: the time of a cancel, the speed, the memory, the
start and the recovery after a SIGKILL.

    python benchmarks/hearing_ab.py --rounds 60

A cancel comes at a random moment while the recogniser decodes a backlog; it is complete when the
recogniser is free. The floor: the rest of the frame that is being decoded. The verdict is `migrate`
where the 95 % bootstrap interval of the difference at p95 (sub-process minus sidecar) lies above
100 ms, else `close`. The last line is one JSON object.
"""

import argparse
import asyncio
import json
import os
import random
import signal
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

import numpy as np
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).parents[1]))  # run as a script from a checkout

from app.hearing.ears import Ears, FinalText, HearingEvent, HearingFailed, SoundFormat
from app.hearing.messages import Ready
from app.hearing.recogniser import MAKERS
from app.hearing.subprocess_host import SubprocessHost
from app.hearing_settings import HostName
from benchmarks.cancel import percentiles
from benchmarks.hearing_hosts import HOSTS, RunningHost, answers, running_host, start_sidecar
from benchmarks.measure import quantile, say
from benchmarks.recorded_call import RATE, read_call, s16le

SOUND = SoundFormat("s16le", RATE)
BOUND_MS = 100.0
BACKLOG_S = 3.0
NUM_BOOTSTRAPS = 4000


@dataclass(slots=True)
class Caller:
    """Push to talk: the recogniser alone is measured."""

    ears: Ears
    events: "asyncio.Queue[HearingEvent]" = field(default_factory=asyncio.Queue)
    generation: int = 0

    async def read(self) -> None:
        async for event in self.ears.events():
            self.events.put_nowait(event)

    async def until(self, kind: type[HearingEvent], generation: int) -> HearingEvent:
        while True:
            event = await self.events.get()
            if event.generation != generation:
                continue
            if isinstance(event, kind):
                return event
            if isinstance(event, HearingFailed):
                raise RuntimeError(f"{event.code}: {event.message}")


async def open_caller(host: RunningHost, stack: AsyncExitStack) -> Caller:
    caller = Caller(await host.hearing.open_call(SOUND, None))
    reader = asyncio.create_task(caller.read())
    stack.push_async_callback(asyncio.wait, {reader})
    stack.push_async_callback(caller.ears.aclose)
    return caller


def speech_of(seconds: float) -> bytes:
    call = read_call()
    cuts = [call.cut(each.began_s, each.ended_s + 0.1) for each in call.of_kind("interruption")]
    return s16le(cuts * 3)[: round(seconds * RATE) * 2]


async def cancel_ms(caller: Caller, backlog: bytes, after_s: float) -> float:
    caller.generation += 1
    await caller.ears.accept(backlog)
    await asyncio.sleep(after_s)
    began_s = time.monotonic()
    aborted = await caller.ears.abort(caller.generation)
    if aborted.freed_at_s is None:
        raise RuntimeError("the recogniser had nothing to abort")
    return (time.monotonic() - began_s) * 1000


async def audio_s_per_s(callers: Sequence[Caller], sound: bytes) -> float:
    """Of all callers together, who speak at the same time."""

    async def hear(caller: Caller) -> None:
        caller.generation += 1
        await caller.ears.accept(sound)
        await caller.ears.commit()
        await caller.until(FinalText, caller.generation)

    began_s = time.monotonic()
    await asyncio.gather(*(hear(caller) for caller in callers))
    return len(callers) * len(sound) / 2 / RATE / (time.monotonic() - began_s)


async def start_s(name: HostName) -> dict[str, float]:
    """From nothing to a recogniser that hears: `spawn` from the start of the process, `import` from
    the first line of its program."""
    began_s = time.monotonic()
    if name == "sidecar":
        async with running_host(name) as running:
            ready_s = time.monotonic()
            assert running.first_line_s is not None
            return _starts(began_s, running.first_line_s, ready_s)
    host = SubprocessHost(MAKERS["pocketsphinx"], num_recognisers=1, num_warm=0)
    ready = await (await host.lease()).receive()
    assert isinstance(ready, Ready)
    await host.aclose()
    return _starts(began_s, ready.imported_at_s, ready.ready_at_s)


def _starts(began_s: float, first_line_s: float, ready_s: float) -> dict[str, float]:
    return {
        "spawn_s": round(ready_s - began_s, 3),
        "import_s": round(ready_s - first_line_s, 3),
    }


async def recovery_s(name: HostName) -> float:
    """From the SIGKILL of a recogniser in the middle of an utterance to the words of the next one.
    The sidecar is started again at once, as a supervisor would."""
    short = speech_of(1.0)
    async with AsyncExitStack() as stack:
        host = await stack.enter_async_context(running_host(name))
        caller = await open_caller(host, stack)
        await audio_s_per_s([caller], short)
        await caller.ears.accept(short)
        await asyncio.sleep(0.1)
        began_s = time.monotonic()
        os.kill(host.busy_pid(), signal.SIGKILL)
        await caller.until(HearingFailed, caller.generation + 1)
        await caller.ears.commit()
        caller.generation += 1
        if name == "sidecar":
            port = int(host.hearing.settings.sidecar_url.rpartition(":")[2])  # type: ignore[union-attr]
            again = await start_sidecar(port)
            stack.push_async_callback(again.wait)
            stack.callback(again.kill)
            await answers(host.hearing)
        await audio_s_per_s([caller], short)
        return round(time.monotonic() - began_s, 3)


def difference_at_p95(one: Sequence[float], other: Sequence[float], seed: int) -> dict[str, float]:
    """The 95 % bootstrap interval of p95(one) - p95(other)."""
    rng = np.random.default_rng(seed)
    a, b = np.asarray(one, np.float64), np.asarray(other, np.float64)

    def drawn(values: NDArray[np.float64]) -> NDArray[np.float64]:
        at = rng.integers(0, len(values), (NUM_BOOTSTRAPS, len(values)))
        return np.asarray(np.quantile(values[at], 0.95, axis=1), np.float64)

    low, high = np.quantile(drawn(a) - drawn(b), [0.025, 0.975])
    middle = (quantile(one, 0.95) or 0) - (quantile(other, 0.95) or 0)
    return {"ms": round(middle, 2), "low_ms": round(low, 2), "high_ms": round(high, 2)}


def verdict_of(difference: Mapping[str, float]) -> str:
    """`migrate` to the sidecar, or `close` the question with the sub-process."""
    return "migrate" if difference["low_ms"] > BOUND_MS else "close"


async def in_turns(
    rounds: int, seed: int
) -> tuple[dict[HostName, list[float]], dict[HostName, dict[str, object]]]:
    rng = random.Random(seed)
    backlog, long = speech_of(BACKLOG_S), speech_of(5.0)
    cancels: dict[HostName, list[float]] = {name: [] for name in HOSTS}
    speeds: dict[tuple[HostName, int], list[float]] = {}
    memory: dict[HostName, dict[str, object]] = {}
    async with AsyncExitStack() as stack:
        hosts = [await stack.enter_async_context(running_host(name)) for name in HOSTS]
        callers = {host.name: [await open_caller(host, stack)] for host in hosts}
        for host in hosts:
            await audio_s_per_s(callers[host.name], backlog)
            memory[host.name] = {"one_call": host.memory_mb()}
            callers[host.name].append(await open_caller(host, stack))
            await audio_s_per_s(callers[host.name], backlog)
            memory[host.name]["two_calls"] = host.memory_mb()
        for number in range(rounds):
            order = list(HOSTS) if number % 2 else list(reversed(HOSTS))
            for name in order:
                caller = callers[name][0]
                cancels[name].append(await cancel_ms(caller, backlog, rng.uniform(0.05, 0.5)))
            if number % 10 == 0:
                for name in order:
                    for num in (1, 2):
                        speed = await audio_s_per_s(callers[name][:num], long)
                        speeds.setdefault((name, num), []).append(speed)
    for (name, num), found in speeds.items():
        memory[name][f"audio_s_per_s_{num}"] = round(median(found), 2)
    return cancels, memory


async def run(rounds: int, seed: int) -> dict[str, object]:
    cancels, report = await in_turns(rounds, seed)
    for name in HOSTS:
        report[name] |= {
            "cancel_ms": percentiles(cancels[name]),
            "start": await start_s(name),
            "recovery_s": await recovery_s(name),
        }
    difference = difference_at_p95(cancels["subprocess"], cancels["sidecar"], seed)
    hosts: dict[str, object] = {name: report[name] for name in HOSTS}
    return {**hosts, "difference_at_p95": difference, "verdict": verdict_of(difference)}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=60)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    report = asyncio.run(run(args.rounds, args.seed))
    for name, value in report.items():
        say(f"{name:<18} {json.dumps(value)}")
    say(json.dumps({"benchmark": "hearing_ab", "rounds": args.rounds, **report}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
