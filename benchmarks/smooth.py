"""Measures how smooth streams begin and stay, here and in another checkout.

    python benchmarks/smooth.py --before ../the-commit-before

Each round starts a server of each side on its serve_config.yaml, one after another, the other side
first in every second round. `--turns`, `--bursts` and `--minutes` are those of all rounds together.
The rows:

    lone     one caller, one turn after another; with `smooth`, and with `soonest`
    burst    callers that come at the same moment, with `soonest`; a server that admits only what it
             bears may refuse some (burst.py has the engines alone)
    steady   callers that play one stream after another, with `smooth`: the number that the server
             bears (`capacity` in /health), and twice this number, when some wait or are refused

The side before gets no `start`, and the same numbers of callers. A player waits as long as it is
told. `smooth_start_ms` is the first sound and the prebuffer that was needed: playback that begins
then never stalls. The floor: no stall, and a told prebuffer that is right within 50 ms. Exits with
1 if an aim is missed (`missed`). The last line is one JSON object.
"""

import argparse
import asyncio
import json
import random
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import httpx

sys.path.insert(0, str(Path(__file__).parents[1]))  # run as a script from a checkout

from app.client.speech_client import key_headers
from benchmarks.measure import say
from benchmarks.players import Refused, figures, p50_p95, play, told_right_share
from benchmarks.startup_sides import Server, Side
from loadtests.playback import Player
from loadtests.texts import draw_text

ROOT = Path(__file__).parents[1]
BURST_TEXT = "Hello there, how are you today?"
ARRIVE_WITHIN_S = 2.0  # the callers of a steady row
PAUSE_S = 0.2  # between the streams of a caller
LEAST_CAPACITY = 2
RIGHT_SHARE = 0.9
HELD_BACK_MS = 1000.0  # a turn that waits to be admitted has a later first sound
BURST_RATIO = {2: 1.4, 4: 2.0}  # of the first sound to that of one caller, p50


class Case(NamedTuple):
    side: str
    what: str  # lone, burst or steady
    start: str | None
    num_callers: int


@dataclass(slots=True)
class Heard:
    players: list[Player] = field(default_factory=list)
    num_refused: int = 0

    def row(self, case: Case, capacity: int | None) -> dict[str, Any]:
        starts_s = ((one.first_s or 0.0) + one.needed_prebuffer_s for one in self.players)
        return {
            **case._asdict(),
            "capacity": capacity,
            **figures(self.players),
            "smooth_start_ms": p50_p95(starts_s),
            "told_right_share": told_right_share(self.players),
            "num_refused": self.num_refused,
        }


class Caller:
    """Speaks in the server's first voice."""

    def __init__(self, client: httpx.AsyncClient, body: dict[str, str]) -> None:
        self._client = client
        self._body = body

    @classmethod
    async def of(cls, client: httpx.AsyncClient) -> "Caller":
        model = (await client.get("/v1/models")).json()["data"][0]["id"]
        voice = (await client.get("/v1/audio/voices")).json()["voices"][0]["id"]
        return cls(client, {"model": model, "voice": voice, "response_format": "pcm"})

    async def play(self, text: str, start: str | None) -> Player:
        body = self._body | {"input": text} | ({} if start is None else {"start": start})
        return await play(self._client, "/v1/audio/speech", body)

    async def capacity(self) -> int | None:
        claimed: int | None = (await self._client.get("/health")).json()["capacity"]
        return claimed


async def lone(caller: Caller, start: str | None, num_turns: int, rng: random.Random) -> Heard:
    return Heard([await caller.play(draw_text(rng), start) for _ in range(num_turns)])


async def burst(caller: Caller, start: str | None, num_callers: int, num_bursts: int) -> Heard:
    heard = Heard()

    async def call() -> None:
        try:
            heard.players.append(await caller.play(BURST_TEXT, start))
        except Refused:
            heard.num_refused += 1

    for _ in range(num_bursts):
        await asyncio.gather(*(call() for _ in range(num_callers)))
    return heard


async def steady(
    caller: Caller, start: str | None, num_callers: int, seconds: float, seed: str
) -> Heard:
    heard, until_s = Heard(), time.monotonic() + seconds

    async def listen(rng: random.Random) -> None:
        await asyncio.sleep(rng.uniform(0, min(ARRIVE_WITHIN_S, seconds)))
        while time.monotonic() < until_s:
            sent_s, pause_s = time.monotonic(), PAUSE_S
            try:
                player = await caller.play(draw_text(rng), start)
                heard.players.append(player)
                after_s = time.monotonic() - sent_s
                pause_s += player.over_s(after_s) - after_s
            except Refused as refusal:
                heard.num_refused += 1
                pause_s += refusal.after_s
            await asyncio.sleep(min(pause_s, max(0.0, until_s - time.monotonic())))

    rngs = [random.Random(f"{seed} {number}") for number in range(num_callers)]
    await asyncio.gather(*(listen(rng) for rng in rngs))
    return heard


@dataclass(slots=True)
class Found:
    """`capacity`: as this checkout's server says it in the first round."""

    heard: dict[Case, Heard] = field(default_factory=dict)
    capacity: int | None = None

    def add(self, case: Case, heard: Heard) -> None:
        known = self.heard.setdefault(case, Heard())
        known.players += heard.players
        known.num_refused += heard.num_refused
        say(json.dumps(heard.row(case, self.capacity)))

    def rows(self) -> list[dict[str, Any]]:
        return [heard.row(case, self.capacity) for case, heard in self.heard.items()]


async def measure(
    url: str, side: str, found: Found, options: argparse.Namespace, number: int
) -> None:
    limits = httpx.Limits(max_connections=None)
    async with httpx.AsyncClient(
        base_url=url, timeout=300, limits=limits, headers=key_headers()
    ) as client:
        caller = await Caller.of(client)
        has_start = side == "now"
        smooth, soonest = ("smooth", "soonest") if has_start else (None, None)
        await lone(caller, soonest, 2, random.Random(0))  # warms up
        if has_start and found.capacity is None:
            found.capacity = options.capacity or await caller.capacity()
        for start in dict.fromkeys((smooth, soonest)):
            rng = random.Random(f"lone {number}")  # the same texts for each
            heard = await lone(caller, start, share(options.turns, options.rounds), rng)
            found.add(Case(side, "lone", start, 1), heard)
        for num in options.callers:
            heard = await burst(caller, soonest, num, share(options.bursts, options.rounds))
            found.add(Case(side, "burst", soonest, num), heard)
        for num in (found.capacity, 2 * found.capacity) if found.capacity else ():
            seconds = 60 * options.minutes / options.rounds
            heard = await steady(caller, smooth, num, seconds, f"steady {number}")
            found.add(Case(side, "steady", smooth, num), heard)


def share(num: int, rounds: int) -> int:
    """Of one round, rounded up."""
    return -(-num // rounds)


def missed(rows: Sequence[dict[str, Any]], capacity: int | None) -> Iterator[str]:
    """A line for each aim that this checkout misses."""
    by_case = {Case(*(row[name] for name in Case._fields)): row for row in rows}
    smooth = by_case[Case("now", "lone", "smooth", 1)]
    yield from _stalled(smooth, "a lone caller")
    if (before := by_case.get(Case("before", "lone", None, 1))) is not None:
        for q, before_ms in before["smooth_start_ms"].items():
            if (now_ms := smooth["smooth_start_ms"][q]) >= before_ms:
                yield f"smooth playback begins after {now_ms} ms ({q}), before: {before_ms} ms"
    right = by_case[Case("now", "lone", "soonest", 1)]["told_right_share"]
    if right is None or right < RIGHT_SHARE:
        yield f"the told prebuffer is right in {right} of turns, the aim is {RIGHT_SHARE}"
    yield from _late_bursts(by_case)
    if capacity is None or capacity < LEAST_CAPACITY:
        yield f"/health says a capacity of {capacity}, the aim is {LEAST_CAPACITY}"
        return
    yield from _stalled(by_case[Case("now", "steady", "smooth", capacity)], "at capacity")
    twice = by_case[Case("now", "steady", "smooth", 2 * capacity)]
    yield from _stalled(twice, "at twice the capacity")
    if not twice["num_refused"] and (twice["ttfa_ms"]["p95"] or 0) < HELD_BACK_MS:
        yield "at twice the capacity: no turn was refused, and none waited"


def _stalled(row: dict[str, Any], when: str) -> Iterator[str]:
    if not row["num_heard"]:
        yield f"{when}: no turn was played"
    elif row["num_stalled"]:
        yield f"{when}: {row['num_stalled']} of {row['num_heard']} turns stalled"


def _late_bursts(by_case: dict[Case, dict[str, Any]]) -> Iterator[str]:
    first_ms = {
        case.num_callers: row["ttfa_ms"]["p50"]
        for case, row in by_case.items()
        if (case.side, case.what) == ("now", "burst")
    }
    for num, most in BURST_RATIO.items():
        ratio = first_ms[num] / first_ms[1] if {num, 1} <= first_ms.keys() else 0.0
        if ratio > most:
            yield f"the first sound of {num} callers takes {ratio:.2f} of one's, the aim is {most}"


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--before", type=Path, help="a checkout of the commit to compare with")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--turns", type=int, default=60, help="of each lone row")
    parser.add_argument("--callers", type=int, nargs="+", default=[1, 2, 4], help="of the bursts")
    parser.add_argument("--bursts", type=int, default=12, help="for each number of callers")
    parser.add_argument("--minutes", type=float, default=3.0, help="of each steady row")
    parser.add_argument("--capacity", type=int, help="default: the server's own")
    return parser.parse_args(arguments)


def main() -> int:
    options = parse(sys.argv[1:])
    sides = [Side("now", ROOT)]
    if options.before is not None:
        sides.append(Side("before", options.before.resolve()))
    found = Found()
    for number in range(options.rounds):
        for side in sides[:: (-1) ** number]:
            with tempfile.TemporaryDirectory() as folder:
                server = Server(side, Path(folder))
                try:
                    server.wait_healthy()
                    asyncio.run(measure(server.url, side.name, found, options, number))
                finally:
                    server.stop()
    rows = found.rows()
    misses = list(missed(rows, found.capacity))
    for line in misses:
        sys.stderr.write(f"missed: {line}\n")
    result = {"benchmark": "smooth", "capacity": found.capacity, "missed": misses, "rows": rows}
    say(json.dumps(result))
    return 1 if misses else 0


if __name__ == "__main__":
    sys.exit(main())
