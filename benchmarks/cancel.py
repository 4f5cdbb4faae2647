"""Measures how fast a running server stops sessions at random moments, by a cancel call and by a
closed connection.

    python benchmarks/cancel.py --url http://127.0.0.1:8000 --n 662 --num-streams 1 4 16

The floor: the way of the cancel through the proxy to T3 (a few milliseconds), plus the rest of the
running step. `step_ms` is the time of a T3 step, and `over_step_ms` is what the acknowledgement
takes longer than that. `legs_ms` are the parts of the acknowledgement, one after another, which sum
up to it. Half of the stops come before the first
audio, half after it. A p99 claim needs 662 stops of each kind. Server and client must run on one
machine. The last line is one JSON object.
"""

import argparse
import asyncio
import json
import random
import re
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from statistics import median
from typing import NamedTuple

import httpx
import psutil

sys.path.insert(0, str(Path(__file__).parents[1]))  # run as a script from a checkout

from app.client.speech_client import key_headers
from app.core import Mark
from benchmarks.measure import quantile
from benchmarks.players import first_voice
from benchmarks.turns import ACK_LEGS, VIAS, Turn, Turns, Via

TEXT = "You are hearing a sentence that somebody will not let me finish. And here is another one."
WARM_UP = 4
QUANTILES = {"p50": 0.50, "p95": 0.95, "p99": 0.99}
ENGINE = re.compile("ray::ServeReplica:.*:(T3|Vocoder)")
SETTLED_AFTER_S = 0.5  # after the last stop, before the memory is read


class Plan(NamedTuple):
    num: int
    via: Via
    num_streams: int
    seed: int


async def measure(turns: Turns, plan: Plan) -> dict[str, object]:
    """One row: `num` stops, `num_streams` at the same time."""
    rng = random.Random(f"{plan.seed} {plan.via} {plan.num_streams}")
    baseline = await baseline_ms(turns, plan)
    before_mb = resident_mb()
    done: list[Turn] = []
    reports: set[asyncio.Task[None]] = set()
    num_begun = 0

    async def talk() -> None:
        nonlocal num_begun
        while num_begun < plan.num:
            num_begun += 1
            late = plan.via != "whole" and num_begun % 2 == 0
            after_s = rng.uniform(0, 1.0 if late else median(baseline) / 1000)
            turn = await turns.stop(TEXT, plan.via, after_s, after_first_audio=late)
            done.append(turn)
            reports.add(asyncio.ensure_future(turns.fetch_report(turn)))

    await asyncio.gather(*(talk() for _ in range(plan.num_streams)))
    await asyncio.sleep(SETTLED_AFTER_S)
    grown_mb = resident_mb() - before_mb
    await asyncio.gather(*reports)
    return summarise(plan, done, baseline) | {"grown_mb": round(grown_mb, 1)}


def resident_mb() -> float:
    """The resident memory of this machine's engine replicas, without that of a GPU."""
    sizes: list[int] = [
        process.info["memory_info"].rss
        for process in psutil.process_iter(["cmdline", "memory_info"])
        if ENGINE.match(" ".join(process.info["cmdline"] or ()))
    ]
    return sum(sizes) / 2**20


async def baseline_ms(turns: Turns, plan: Plan) -> list[float]:
    """Times to first audio at the same load, each after a turn that played to its end."""

    async def talk() -> list[float]:
        done = [await turns.listen_to_end(TEXT) for _ in range(1 + max(2, 8 // plan.num_streams))]
        return [turn.ttfa_ms for turn in done[1:] if turn.ttfa_ms is not None]

    talks = await asyncio.gather(*(talk() for _ in range(plan.num_streams)))
    return [ms for talk_ms in talks for ms in talk_ms]


def summarise(plan: Plan, done: list[Turn], baseline: list[float]) -> dict[str, object]:
    steps = [turn.steps_after for turn in done if turn.steps_after is not None]
    legs = [turn.ack_legs_ms for turn in done if turn.ack_legs_ms]
    next_ttfa = [turn.ttfa_ms for turn in done[plan.num_streams :] if turn.ttfa_ms is not None]
    return {
        "via": plan.via,
        "num_streams": plan.num_streams,
        "n": len(done),
        "ack_ms": percentiles(turn.ack_ms for turn in done),
        "step_ms": percentiles(turn.step_ms for turn in done),
        "over_step_ms": percentiles(
            turn.ack_ms - turn.step_ms
            for turn in done
            if turn.ack_ms is not None and turn.step_ms is not None
        ),
        "legs_ms": {name: percentiles(turn[name] for turn in legs) for name in ACK_LEGS},
        "legs_sum_ms": percentiles(sum(turn.values()) for turn in legs),
        "empty_ms": percentiles(turn.empty_ms for turn in done),
        "silence_ms": percentiles(turn.silence_ms for turn in done),
        "engine_ms": percentiles(turn.engine_ms for turn in done),
        "reuse_ms": percentiles(reuses_ms(done)),
        "steps_after": {"p99": quantile(steps, 0.99), "max": max(steps, default=None)},
        "cells_after_max": max((t.cells_after or 0 for t in done), default=0),
        "bytes_after_ack": sum(turn.bytes_after_ack for turn in done),
        "wasted_audio_s_mean": round(sum(t.discarded_s for t in done) / max(1, len(done)), 3),
        "next_ttfa_ratio": round(median(next_ttfa) / median(baseline), 3) if next_ttfa else None,
        "stopped_in_t3": len(steps),
        "still_stopping": sum(turn.state == "stopping" for turn in done),
    }


def reuses_ms(done: Sequence[Turn]) -> Iterable[float]:
    """The times from each stop to the prefill of the next session."""
    begins = sorted(turn.marks[Mark.PREFILL] for turn in done if Mark.PREFILL in turn.marks)
    for turn in done:
        freed_s = turn.marks.get(Mark.T3_STOPPED)
        if freed_s is None or turn.stopped_s is None:
            continue
        following = next((at_s for at_s in begins if at_s > freed_s), None)
        if following is not None:
            yield (following - turn.stopped_s) * 1000


def percentiles(values: Iterable[float | None]) -> dict[str, float | None] | None:
    known = [value for value in values if value is not None]
    return {name: quantile(known, q) for name, q in QUANTILES.items()} if known else None


async def warm_turns(client: httpx.AsyncClient) -> Turns:
    """Turns with the server's first model and voice, after a few turns of warm-up."""
    turns = Turns(client, *await first_voice(client))
    await turns.check_clock()
    for _ in range(WARM_UP):
        await turns.listen_to_end(TEXT)
    return turns


async def run(args: argparse.Namespace) -> list[dict[str, object]]:
    rows = []
    limits = httpx.Limits(max_connections=None)
    async with httpx.AsyncClient(
        base_url=args.url, timeout=120, limits=limits, headers=key_headers()
    ) as client:
        turns = await warm_turns(client)
        for num_streams in args.num_streams:
            for via in args.via:
                rows.append(await measure(turns, Plan(args.n, via, num_streams, args.seed)))
                sys.stderr.write(json.dumps(rows[-1]) + "\n")
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--url", default="http://127.0.0.1:8000")
    parser.add_argument("--n", type=int, default=662, help="number of stops per row")
    parser.add_argument("--num-streams", type=int, nargs="+", default=[1, 4, 16])
    parser.add_argument(
        "--via",
        nargs="+",
        choices=VIAS,
        default=["http", "disconnect"],
        help="whole: a cancel call stops a request for a file (204); over a socket, ours "
        "or of another vendor, a message stops a context",
    )
    parser.add_argument("--seed", type=int, default=1)
    rows = asyncio.run(run(parser.parse_args()))
    sys.stdout.write(json.dumps({"benchmark": "cancel", "rows": rows}) + "\n")


if __name__ == "__main__":
    main()
