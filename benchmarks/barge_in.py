"""Measures each leg of a hundred barge-ins in a row, and checks them against bounds.

    python benchmarks/barge_in.py --url http://127.0.0.1:8000 --n 100

Each turn is cancelled at a random moment of its first second of audio. The next turn begins after
the acknowledgement. The floor: the way of the cancel through the proxy to T3 (a few milliseconds),
plus the rest of the running step. Exits with 1 if a bound is broken. The last line is one JSON
object.
"""

import argparse
import asyncio
import json
import random
import sys
from collections.abc import Iterator
from pathlib import Path
from statistics import median

import httpx

sys.path.insert(0, str(Path(__file__).parents[1]))  # run as a script from a checkout

from app.client.speech_client import key_headers
from benchmarks.cancel import QUANTILES, TEXT, percentiles, warm_turns
from benchmarks.measure import quantile
from benchmarks.turns import UNANSWERED, VIAS, Turn, Via

ACK_MS = {"p50": 15.0, "p95": 40.0, "p99": 75.0}
NEXT_TTFA_RATIO = 1.10
NUM_BASELINE = 9
REPORTS_EVERY = 50  # turns; the server keeps the report of a session for a limited time


async def converse(url: str, num: int, seed: int, via: Via) -> tuple[list[Turn], list[float]]:
    rng = random.Random(seed)
    async with httpx.AsyncClient(base_url=url, timeout=120, headers=key_headers()) as client:
        turns = await warm_turns(client)
        whole = [await turns.listen_to_end(TEXT) for _ in range(NUM_BASELINE)]
        done: list[Turn] = []
        for number in range(1, num + 1):
            after_s = rng.uniform(0, 1.0)
            done.append(await turns.stop(TEXT, via, after_s, after_first_audio=True))
            if number % REPORTS_EVERY == 0 or number == num:  # between turns: reports take time
                for turn in done[(number - 1) // REPORTS_EVERY * REPORTS_EVERY :]:
                    await turns.fetch_report(turn)
    return done, [turn.ttfa_ms for turn in whole if turn.ttfa_ms is not None]


def legs(done: list[Turn]) -> dict[str, object]:
    names = sorted({name for turn in done for name in turn.legs_ms})
    table: dict[str, object] = {n: percentiles(t.legs_ms.get(n) for t in done) for n in names}
    return table | {
        "client_ack": percentiles(turn.ack_ms for turn in done),
        "client_silence": percentiles(turn.silence_ms for turn in done),
        "client_first_audio": percentiles(turn.ttfa_ms for turn in done),
    }


def broken_bounds(
    done: list[Turn], baseline: list[float], *, is_answered: bool = True
) -> Iterator[str]:
    """A line for every broken bound. `is_answered`: the server answers each stop."""
    acks = [turn.ack_ms for turn in done if turn.ack_ms is not None]
    for name, bound in ACK_MS.items() if is_answered else ():
        value = quantile(acks, QUANTILES[name])
        if value is None or value > bound:
            yield f"acknowledgement {name} is {value} ms, the bound is {bound} ms"
    steps = [turn.steps_after for turn in done if turn.steps_after is not None]
    if max(steps, default=0) > 2 or (quantile(steps, 0.99) or 0) > 1:
        yield f"steps after an abort: at most {max(steps)}, the bounds are 2, and 1 at p99"
    if (cells := max((turn.cells_after or 0 for turn in done), default=0)) > 0:
        yield f"{cells} cells of the vocoder began after its abort"
    if (num_bytes := sum(turn.bytes_after_ack for turn in done)) > 0:
        yield f"{num_bytes} bytes arrived after an acknowledgement"
    ttfa = [turn.ttfa_ms for turn in done[1:] if turn.ttfa_ms is not None]
    if (ratio := median(ttfa) / median(baseline)) > NEXT_TTFA_RATIO:
        yield f"next first audio is {ratio:.2f} of the baseline, the bound is {NEXT_TTFA_RATIO}"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--url", default="http://127.0.0.1:8000")
    parser.add_argument("--n", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--via", choices=VIAS, default="http", help="how a turn is stopped")
    args = parser.parse_args()
    done, baseline = asyncio.run(converse(args.url, args.n, args.seed, args.via))
    broken = list(broken_bounds(done, baseline, is_answered=args.via not in UNANSWERED))
    for name, values in legs(done).items():
        sys.stdout.write(f"{name:<22} {values}\n")
    for line in broken:
        sys.stdout.write(f"broken: {line}\n")
    report = {"benchmark": "barge_in", "via": args.via, "n": len(done)}
    report |= {"passed": not broken, "broken": broken}
    ratio = median([t.ttfa_ms for t in done[1:] if t.ttfa_ms is not None]) / median(baseline)
    report |= {"next_ttfa_ratio": round(ratio, 3), "legs_ms": legs(done)}
    sys.stdout.write(json.dumps(report) + "\n")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
