"""A conversation in which every answer is interrupted: each leg of a hundred barge-ins, and a gate.

    python benchmarks/barge_in.py --url http://127.0.0.1:8000 --n 100

Each turn is cancelled at a random moment of its first second of sound, and the next begins when the
acknowledgement is there. Exits with 1 where a bound of the gate is broken. Last line JSON.
"""

import argparse
import asyncio
import json
import random
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx

sys.path.insert(0, str(Path(__file__).parents[1]))  # run as a script from anywhere

from app.client.speech_client import key_headers
from benchmarks.cancel import TEXT, median, percentiles, quantile, served
from benchmarks.turns import Turn

ACK_MS = {"p50": 15.0, "p95": 40.0, "p99": 75.0}
NEXT_TTFA_RATIO = 1.10
NUM_BASELINE = 9
ASKED_EVERY = 50  # turns; what the server remembers of a turn is asked for while it does


async def converse(url: str, num: int, seed: int) -> tuple[list[Turn], list[float]]:
    chance = random.Random(seed)
    async with httpx.AsyncClient(base_url=url, timeout=120, headers=key_headers()) as client:
        turns = await served(client)
        heard = [await turns.whole(TEXT) for _ in range(NUM_BASELINE)]
        done: list[Turn] = []
        for number in range(1, num + 1):
            done.append(await turns.stopped(TEXT, "http", chance.uniform(0, 1.0), heard=True))
            if number % ASKED_EVERY == 0 or number == num:  # not beside a turn: it costs time
                for turn in done[(number - 1) // ASKED_EVERY * ASKED_EVERY :]:
                    await turns.told(turn)
    return done, [turn.ttfa_ms for turn in heard if turn.ttfa_ms is not None]


def legs(done: list[Turn]) -> dict[str, object]:
    names = sorted({name for turn in done for name in turn.legs_ms})
    table: dict[str, object] = {n: percentiles(t.legs_ms.get(n) for t in done) for n in names}
    return table | {
        "client_ack": percentiles(turn.ack_ms for turn in done),
        "client_silence": percentiles(turn.silence_ms for turn in done),
        "client_first_audio": percentiles(turn.ttfa_ms for turn in done),
    }


def faults(done: list[Turn], baseline: list[float]) -> Iterator[str]:
    """Every bound of the gate that is broken."""
    acks = [turn.ack_ms for turn in done if turn.ack_ms is not None]
    for name, bound in ACK_MS.items():
        value = quantile(acks, {"p50": 0.5, "p95": 0.95, "p99": 0.99}[name])
        if value is None or value > bound:
            yield f"acknowledgement {name} {value} ms, at most {bound}"
    steps = [turn.steps_after for turn in done if turn.steps_after is not None]
    if max(steps, default=0) > 2 or (quantile(steps, 0.99) or 0) > 1:
        yield f"steps after an abort: max {max(steps)}, at most 2, and 1 at p99"
    if (cells := max((turn.cells_after or 0 for turn in done), default=0)) > 0:
        yield f"{cells} cells of the vocoder after its abort"
    if (num_bytes := sum(turn.bytes_after_ack for turn in done)) > 0:
        yield f"{num_bytes} bytes after an acknowledgement"
    ttfa = [turn.ttfa_ms for turn in done[1:] if turn.ttfa_ms is not None]
    if (ratio := median(ttfa) / median(baseline)) > NEXT_TTFA_RATIO:
        yield f"next first audio {ratio:.2f} of the baseline, at most {NEXT_TTFA_RATIO}"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--url", default="http://127.0.0.1:8000")
    parser.add_argument("--n", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    done, baseline = asyncio.run(converse(args.url, args.n, args.seed))
    found = list(faults(done, baseline))
    for name, values in legs(done).items():
        sys.stdout.write(f"{name:<22} {values}\n")
    for fault in found:
        sys.stdout.write(f"broken: {fault}\n")
    report = {"benchmark": "barge_in", "n": len(done), "passed": not found, "faults": found}
    ratio = median([t.ttfa_ms for t in done[1:] if t.ttfa_ms is not None]) / median(baseline)
    report |= {"next_ttfa_ratio": round(ratio, 3), "legs_ms": legs(done)}
    sys.stdout.write(json.dumps(report) + "\n")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
