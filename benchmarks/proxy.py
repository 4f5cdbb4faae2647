"""Measures what a proxy costs: the round trip of a small request, and the time of an audio chunk
from the ingress to the client.

    python benchmarks/proxy.py --url http://127.0.0.1:8000 --num-streams 1,8

The floor is 0 ms: client and server share one machine, so all of this time is the proxy's and the
clients'. Needs a running server on this machine, behind either proxy. The last line is one JSON
object.
"""

import argparse
import asyncio
import json
import sys
import time
from pathlib import Path

import httpx

sys.path.insert(0, str(Path(__file__).parents[1]))  # run as a script from a checkout

from app.client.speech_client import key_headers
from app.core import Mark
from benchmarks.cancel import TEXT, percentiles, warm_turns
from benchmarks.measure import parse_counts
from benchmarks.turns import Turns

NUM_ROUND_TRIPS = 200
TURNS_PER_STREAM = 5


async def round_trips_ms(client: httpx.AsyncClient) -> list[float]:
    """The times of `GET /` on an idle server, one after another over one connection."""
    times = []
    for _ in range(NUM_ROUND_TRIPS):
        sent_s = time.perf_counter()
        await client.get("/")
        times.append((time.perf_counter() - sent_s) * 1000)
    return times


async def chunk_times_ms(turns: Turns, num_streams: int) -> list[float]:
    """The times of the first and the last chunk of each turn, from the ingress's mark to the
    client's read."""
    times = []

    async def talk() -> None:
        for _ in range(TURNS_PER_STREAM):
            turn = await turns.listen_to_end(TEXT)
            await turns.fetch_report(turn)
            for read_s, mark in (
                (turn.first_audio_s, Mark.FIRST_BYTE),
                (turn.last_audio_s, Mark.LAST_BYTE),
            ):
                if read_s is not None and mark in turn.marks:
                    times.append(max(0.0, read_s - turn.marks[mark]) * 1000)

    await asyncio.gather(*(talk() for _ in range(num_streams)))
    return times


async def run(url: str, streams: list[int]) -> dict[str, object]:
    limits = httpx.Limits(max_connections=None)
    async with httpx.AsyncClient(
        base_url=url, timeout=120, limits=limits, headers=key_headers()
    ) as client:
        turns = await warm_turns(client)
        trips = percentiles(await round_trips_ms(client))
        rows = [
            {"num_streams": n, "chunk_ms": percentiles(await chunk_times_ms(turns, n))}
            for n in streams
        ]
    return {"benchmark": "proxy", "round_trip_ms": trips, "rows": rows}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--url", default="http://127.0.0.1:8000")
    parser.add_argument("--num-streams", type=parse_counts, default=[1, 8])
    args = parser.parse_args()
    sys.stdout.write(json.dumps(asyncio.run(run(args.url, args.num_streams))) + "\n")


if __name__ == "__main__":
    main()
