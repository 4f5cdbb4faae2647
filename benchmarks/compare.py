"""Compares this server with the simplest server around upstream (upstream_server.py).

    python benchmarks/compare.py --model random-turbo --policy chunked --num-callers 1,8

Both servers have the same machine, weights, text, voice and callers, and run one after the other.
With --rounds the order alternates. All callers send their first request at once. Each sends the
next one after the answer, for `--turns` turns. Then all callers send one more request and leave
early. Both sides stop at the model's own stop token, or at `--tokens` tokens, which the random and
embedded models nearly always reach. Both sides compute the watermark. Upstream's rows are the
baseline. The figures:

    ttfa_ms         time to first audio; at upstream the time of the whole file
    needed_prebuffer_ms
                    how long a player must wait after the first audio to never run dry
    told_prebuffer_ms
                    how long the server tells a player to wait; a player does so. Upstream: nothing
    audio_s_per_s   received audio of all callers, from the first request to the last audio
    stalled_share   the share of turns whose player then ran dry for more than 100 ms
    cancel_stop_ms  median time from a caller's leaving (upstream: a closed connection; here: a
                    cancel call) until the server does no more work for the caller
    peak_memory_mb  peak resident memory of upstream's process, or of our replicas, registry and
                    proxy together. Shared pages count once per process. Ray's own daemons and the
                    memory of a GPU do not count

Our server is serve_config.yaml with a slot for every caller, without pacing and without guards. It
admits all callers (`limits.admit: all`), and begins each stream as `--start` says. The last line is
one JSON object.
"""

import argparse
import asyncio
import json
import signal
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

import httpx
import psutil
import torch

sys.path.insert(0, str(Path(__file__).parents[1]))  # run as a script from a checkout

from benchmarks.compare_plot import draw
from benchmarks.compare_sides import SIDES, Load, Side
from benchmarks.measure import machine, parse_counts, resolve_device, say
from benchmarks.players import figures
from loadtests.playback import Player
from loadtests.spoken_sockets import VIAS

LEAVES_AT = 0.5  # of a lone caller's time to first audio
SAMPLE_EVERY_S = 0.2


class Round(NamedTuple):
    """The measurements of one server with one number of callers."""

    players: list[Player]
    took_s: float
    stops_s: list[float]  # of the callers that left before the work was done
    peak_mb: float


Rounds = dict[tuple[str, int], list[Round]]


def main() -> None:
    options = parse(sys.argv[1:])
    load = Load(
        model=options.model,
        device=options.device,
        max_tokens=options.tokens,
        policy=options.policy,
        vocoders=options.vocoders,
        max_rows=options.max_rows,
        start=options.start,
        via=options.via,
        most_callers=max(options.num_callers),
    )
    policy = options.policy or "the model's policy"
    title = f"{options.model}, {policy}; {machine(torch.device(options.device))}"
    say(title)
    rounds: Rounds = {}
    for number in range(options.rounds):
        for name in options.servers[:: -1 if number % 2 else 1]:
            for num_callers, measured in run(name, load, options):
                rounds.setdefault((name, num_callers), []).append(measured)
    rows = [
        row(name, num_callers, rounds[name, num_callers])
        for name in options.servers
        for num_callers in options.num_callers
    ]
    say(table(rows))
    if options.plot is not None:
        draw(rows, title, options.plot)
    say(json.dumps({"benchmark": "compare", "model": options.model, "rows": rows}))


def parse(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("--model", default="embedded", help="a model, as in serve_config.yaml")
    parser.add_argument("--device", choices=["auto", "cpu", "cuda"], default="auto")
    parser.add_argument("--policy", choices=["window", "chunked", "full"])
    parser.add_argument("--max-rows", type=int, help="cells per call (default: the server's)")
    parser.add_argument("--start", choices=["smooth", "soonest"], default="soonest")
    parser.add_argument(
        "--via",
        choices=VIAS,
        default="http",
        help="the protocol to our server; another vendor's has neither --start nor --tokens",
    )
    parser.add_argument(
        "--vocoders", type=int, default=1, help="vocoder replicas; on a CPU each uses one core"
    )
    parser.add_argument(
        "--num-callers", type=parse_counts, default=[1, 4, 8, 16], help="for example 1,4,8,16"
    )
    parser.add_argument("--turns", type=int, default=2, help="full turns per caller")
    parser.add_argument(
        "--tokens", type=int, default=100, help="at most per answer; 25 tokens are a second"
    )
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument(
        "--servers", type=_servers, default=[*SIDES], help="for example upstream,ours"
    )
    parser.add_argument("--plot", type=Path, help="a plot to write: .svg or .png")
    options = parser.parse_args(arguments)
    options.device = resolve_device(options.device)
    return options


def _servers(text: str) -> list[str]:
    names = text.split(",")
    if not set(names) <= SIDES.keys():
        raise ValueError(text)
    return names


def run(name: str, load: Load, options: argparse.Namespace) -> list[tuple[int, Round]]:
    """Starts a server, measures it and stops it."""
    with tempfile.TemporaryDirectory() as folder:
        side = SIDES[name](load, Path(folder))
        try:
            return asyncio.run(_rows(side, options))
        finally:
            side.stop()


async def _rows(side: Side, options: argparse.Namespace) -> list[tuple[int, Round]]:
    limits = httpx.Limits(max_connections=None)
    rounds = []
    async with httpx.AsyncClient(base_url=side.url, timeout=None, limits=limits) as client:
        await side.speak(client)  # warms up
        leaves_s = LEAVES_AT * ((await side.speak(client)).first_s or 0.0)
        for num in options.num_callers:
            one = await measure(side, client, num, options.turns, leaves_s)
            sys.stderr.write(json.dumps(row(side.name, num, [one])) + "\n")
            rounds.append((num, one))
    return rounds


async def measure(
    side: Side, client: httpx.AsyncClient, num_callers: int, turns: int, leaves_s: float
) -> Round:
    async def call() -> list[Player]:
        return [await side.speak(client) for _ in range(turns)]

    sizes_mb: list[float] = []
    watching = asyncio.ensure_future(_watch(side.processes(), sizes_mb))
    started_s = time.monotonic()
    by_caller = await asyncio.gather(*(call() for _ in range(num_callers)))
    took_s = time.monotonic() - started_s
    watching.cancel()
    await asyncio.wait({watching})
    stops = await asyncio.gather(*(side.leave(client, leaves_s) for _ in range(num_callers)))
    return Round(
        [player for players in by_caller for player in players],
        took_s,
        [stop_s for stop_s in stops if stop_s is not None],
        max(sizes_mb),
    )


async def _watch(processes: Sequence[psutil.Process], sizes_mb: list[float]) -> None:
    """Samples the memory until it is cancelled."""
    while True:
        sizes_mb.append(sum(process.memory_info().rss for process in processes) / 2**20)
        await asyncio.sleep(SAMPLE_EVERY_S)


def row(server: str, num_callers: int, rounds: Sequence[Round]) -> dict[str, Any]:
    """Percentiles over the turns of all rounds, the median rate, and the highest peak."""
    players = [player for one in rounds for player in one.players]
    stops_s = [stop_s for one in rounds for stop_s in one.stops_s]
    rates = [sum(each.audio_s for each in one.players) / one.took_s for one in rounds]
    measured = figures(players)
    return {
        "server": server,
        "num_callers": num_callers,
        "ttfa_ms": measured["ttfa_ms"],
        "needed_prebuffer_ms": measured["needed_prebuffer_ms"],
        "told_prebuffer_ms": measured["told_prebuffer_ms"],
        "audio_s_per_s": round(median(rates), 3),
        "stalled_share": round(measured["num_stalled"] / len(players), 3),
        "cancel_stop_ms": round(1000 * median(stops_s), 1) if stops_s else None,
        "peak_memory_mb": round(max(one.peak_mb for one in rounds)),
    }


def table(rows: Sequence[dict[str, Any]]) -> str:
    """The rows as a Markdown table."""
    lines = [
        "| server | callers | first audio ms p50 | p95 | prebuffer ms p50 | p95 | audio-s/s | "
        "stalled | stop ms | MB |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for each in rows:
        first, needed = each["ttfa_ms"], each["needed_prebuffer_ms"]
        stop_ms = each["cancel_stop_ms"]
        cells = [
            each["server"],
            each["num_callers"],
            f"{first['p50']:,.0f}",
            f"{first['p95']:,.0f}",
            f"{needed['p50']:,.0f}",
            f"{needed['p95']:,.0f}",
            f"{each['audio_s_per_s']:.2f}",
            f"{each['stalled_share']:.0%}",
            "-" if stop_ms is None else f"{stop_ms:,.0f}",
            f"{each['peak_memory_mb']:,}",
        ]
        lines.append(f"| {' | '.join(map(str, cells))} |")
    return "\n".join(lines)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that the server is stopped, too
    main()
