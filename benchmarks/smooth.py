"""Measures how smooth streams begin and stay, here and in another checkout.

    python benchmarks/smooth.py --before ../the-commit-before

The rows:

    lone     one caller, one turn after another; with `smooth`, and with `soonest`
    burst    callers that come at the same moment, with `soonest` (burst.py has the engines alone)
    steady   callers that play one stream after another, with `smooth`: the number that the server
             bears (`capacity` in /health), and twice this number, when some wait or are refused

In each round every side gets a server for the first two, with `limits.admit: all`, and then one for
`steady`, with its serve_config.yaml. The other side is first in every second round. `--turns`,
`--bursts` and `--minutes` are those of all rounds together. The side before gets no `start`, and
the same numbers of callers. A player waits as long as it is told. `smooth_start_ms` is the first
sound and the prebuffer that was needed: playback that begins then never stalls. The floor: no
stall, and a told prebuffer that is right within 50 ms. Exits with 1 if an aim is missed (`missed`).
The last line is one JSON object.
"""

import argparse
import asyncio
import json
import random
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import httpx

sys.path.insert(0, str(Path(__file__).parents[1]))  # run as a script from a checkout

from app.client.speech_client import key_headers
from benchmarks.measure import say
from benchmarks.players import Refused, first_voice, play
from benchmarks.smooth_rows import Case, Found, Heard, missed
from benchmarks.startup_sides import Server, Side
from loadtests.playback import Player
from loadtests.texts import draw_text

ROOT = Path(__file__).parents[1]
BURST_TEXT = "Hello there, how are you today?"
ARRIVE_WITHIN_S = 2.0  # the callers of a steady row
PAUSE_S = 0.2  # between the streams of a caller


class Amount(NamedTuple):
    """Of one round."""

    number: int  # of the round
    turns: int
    callers: Sequence[int]
    bursts: int
    seconds: float


class Caller:
    """Speaks in the server's first voice."""

    def __init__(self, client: httpx.AsyncClient, body: dict[str, str]) -> None:
        self._client = client
        self._body = body

    @classmethod
    async def of(cls, client: httpx.AsyncClient) -> "Caller":
        model, voice = await first_voice(client)
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


async def measure_starts(caller: Caller, side: str, found: Found, amount: Amount) -> None:
    starts = ("smooth", "soonest") if side == "now" else (None,)
    for start in starts:
        rng = random.Random(f"lone {amount.number}")  # the same texts for each
        found.add(Case(side, "lone", start, 1), await lone(caller, start, amount.turns, rng))
    for num in amount.callers:
        heard = await burst(caller, starts[-1], num, amount.bursts)
        found.add(Case(side, "burst", starts[-1], num), heard)


async def measure_steady(caller: Caller, side: str, found: Found, amount: Amount) -> None:
    start = "smooth" if side == "now" else None
    if found.capacity is None and side == "now":
        found.capacity = await caller.capacity()
    for num in (found.capacity, 2 * found.capacity) if found.capacity else ():
        heard = await steady(caller, start, num, amount.seconds, f"steady {amount.number}")
        found.add(Case(side, "steady", start, num), heard)


Measuring = Callable[[Caller, str, Found, Amount], Awaitable[None]]
PARTS: dict[Measuring, dict[str, Any]] = {  # what the server of this checkout is given more
    measure_starts: {"limits": {"admit": "all"}},
    measure_steady: {},
}


async def measure(url: str, side: str, part: Measuring, found: Found, amount: Amount) -> None:
    limits = httpx.Limits(max_connections=None)
    async with httpx.AsyncClient(
        base_url=url, timeout=300, limits=limits, headers=key_headers()
    ) as client:
        caller = await Caller.of(client)
        await lone(caller, None, 2, random.Random(0))  # warms up
        await part(caller, side, found, amount)


@contextmanager
def served(side: Side) -> Iterator[str]:
    """The URL of a server."""
    with tempfile.TemporaryDirectory() as folder:
        server = Server(side, Path(folder))
        try:
            server.wait_healthy()
            yield server.url
        finally:
            server.stop()


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--before", type=Path, help="a checkout of the commit to compare with")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--turns", type=int, default=60, help="of each lone row")
    parser.add_argument("--callers", type=int, nargs="+", default=[1, 2, 4], help="of the bursts")
    parser.add_argument("--bursts", type=int, default=12, help="for each number of callers")
    parser.add_argument("--minutes", type=float, default=3.0, help="of each steady row")
    options = parser.parse_args(arguments)
    if options.rounds < 1:
        parser.error("--rounds must be at least 1")
    return options


def amount_of(options: argparse.Namespace, number: int) -> Amount:
    """A round has its share of everything, rounded up."""
    turns, bursts = (-(-num // options.rounds) for num in (options.turns, options.bursts))
    return Amount(number, turns, options.callers, bursts, 60 * options.minutes / options.rounds)


def main() -> int:
    options = parse(sys.argv[1:])
    sides = [Side("now", ROOT)]
    if options.before is not None:
        sides.append(Side("before", options.before.resolve()))
    found = Found()
    for number in range(options.rounds):
        for part, args in PARTS.items():
            for side in sides[:: (-1) ** number]:
                with served(replace(side, args=args if side.name == "now" else {})) as url:
                    amount = amount_of(options, number)
                    asyncio.run(measure(url, side.name, part, found, amount))
    rows = found.rows()
    misses = list(missed(rows, found.capacity))
    for line in misses:
        sys.stderr.write(f"missed: {line}\n")
    result = {"benchmark": "smooth", "capacity": found.capacity, "missed": misses, "rows": rows}
    say(json.dumps(result))
    return 1 if misses else 0


if __name__ == "__main__":
    sys.exit(main())
