"""What a proxy lane costs: the round trip of a small request, and the way of sound from the
ingress's hand to a client that reads it.

    python benchmarks/proxy.py --url http://127.0.0.1:8000 --num-streams 1,8

Against a running server on this machine, in either lane. Last line JSON.
"""

import argparse
import asyncio
import json
import sys
import time
from pathlib import Path

import httpx

sys.path.insert(0, str(Path(__file__).parents[1]))  # run as a script from anywhere

from app.client.speech_client import key_headers
from app.core import Mark
from benchmarks.cancel import TEXT, percentiles, served
from benchmarks.measure import counts
from benchmarks.turns import Turns

NUM_TRIPS = 200
TURNS_EACH = 5


async def round_trips_ms(client: httpx.AsyncClient) -> list[float]:
    """`GET /` on an idle server, one after another over one connection."""
    took = []
    for _ in range(NUM_TRIPS):
        sent_s = time.perf_counter()
        await client.get("/")
        took.append((time.perf_counter() - sent_s) * 1000)
    return took


async def chunk_ways_ms(turns: Turns, num_streams: int) -> list[float]:
    """The first and the last chunk of each turn: from where the ingress had handed it on to where
    the client had read it."""
    ways = []

    async def talk() -> None:
        for _ in range(TURNS_EACH):
            turn = await turns.whole(TEXT)
            await turns.told(turn)
            for read_s, mark in (
                (turn.first_audio_s, Mark.FIRST_BYTE),
                (turn.last_audio_s, Mark.LAST_BYTE),
            ):
                if read_s is not None and mark in turn.marks:
                    ways.append(max(0.0, read_s - turn.marks[mark]) * 1000)

    await asyncio.gather(*(talk() for _ in range(num_streams)))
    return ways


async def run(url: str, streams: list[int]) -> dict[str, object]:
    limits = httpx.Limits(max_connections=None)
    async with httpx.AsyncClient(
        base_url=url, timeout=120, limits=limits, headers=key_headers()
    ) as client:
        turns = await served(client)
        trips = percentiles(await round_trips_ms(client))
        rows = [
            {"num_streams": n, "chunk_ms": percentiles(await chunk_ways_ms(turns, n))}
            for n in streams
        ]
    return {"benchmark": "proxy", "round_trip_ms": trips, "rows": rows}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--url", default="http://127.0.0.1:8000")
    parser.add_argument("--num-streams", type=counts, default=[1, 8])
    args = parser.parse_args()
    sys.stdout.write(json.dumps(asyncio.run(run(args.url, args.num_streams))) + "\n")


if __name__ == "__main__":
    main()
