"""Measures the first sound of callers who come at the same moment.

    python benchmarks/burst.py --model embedded --callers 1,2,4 --base ../another-checkout

T3 and the vocoder of a checkout run in a process each, without Ray or HTTP, with `--threads` each,
as the replicas of a CPU do (burst_sides.py). With `--base`, another checkout does the same beside
it. The two take turns, one burst each. Every caller has another text and another seed, the same in
each burst. The floor: the first sound of one caller. The last line is one JSON object.
"""

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from statistics import median
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))  # run as a script from a checkout

from benchmarks.measure import parse_counts

ROOT = Path(__file__).resolve().parents[1]
SIDE = Path(__file__).resolve().with_name("burst_sides.py")
MOST_CALLERS = 8  # burst_sides.TEXTS


class Side:
    """One checkout's engines, in a process of their own."""

    def __init__(self, name: str, tree: Path, options: argparse.Namespace) -> None:
        self.name = name
        self.bursts: dict[int, list[dict[str, Any]]] = {num: [] for num in options.callers}
        names = ("model", "threads", "max_rows", "slots")
        shared = (f"--{name}={getattr(options, name)}" for name in names)
        command = [sys.executable, str(SIDE), *shared]
        environment = {
            **os.environ,
            "BURST_TREE": str(tree),
            "OMP_NUM_THREADS": str(options.threads),
        }
        self._process = subprocess.Popen(
            command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def __enter__(self) -> "Side":
        return self

    def __exit__(self, *_: object) -> None:
        self._process.communicate()  # the end of its input is its end

    def burst(self, num_callers: int) -> dict[str, Any]:
        """Raises RuntimeError where the process has ended."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{num_callers}\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"the side {self.name} ended with {self._process.wait()}")
        found: dict[str, Any] = json.loads(line)
        return found


def main() -> None:
    options = parse(sys.argv[1:])
    trees = {"this": ROOT} | ({"base": options.base} if options.base else {})
    with ExitStack() as stack:
        sides = [stack.enter_context(Side(*tree, options)) for tree in trees.items()]
        for number in range(options.rounds + 1):
            for num in options.callers:
                for side in sides[:: (-1) ** number]:
                    found = side.burst(num)
                    if number:  # the first round warms up
                        side.bursts[num].append(found)
            sys.stderr.write(f"round {number} of {options.rounds} is done\n")
    rows = [row(side, num, options.callers[0]) for num in options.callers for side in sides]
    names = [name for name in rows[0] if name != "legs_ms"]
    sys.stdout.write("  ".join(names) + "\n")
    for one in rows:
        sys.stdout.write("  ".join(f"{one[name]!s:>{len(name)}}" for name in names) + "\n")
    sys.stdout.write(
        json.dumps({"benchmark": "burst", "model": options.model, "rows": rows}) + "\n"
    )


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="embedded")
    parser.add_argument("--callers", type=_counts, default=[1, 2, 4], help="for example 1,2,4")
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--threads", type=int, default=1, help="of torch, for each engine")
    parser.add_argument("--max-rows", type=int, default=8, help="cells in one vocoder call")
    parser.add_argument("--slots", type=int, default=16)
    parser.add_argument("--base", type=Path, help="a checkout to compare with")
    options = parser.parse_args(arguments)
    if options.rounds < 1:
        parser.error("--rounds must be at least 1")
    return options


def _counts(text: str) -> list[int]:
    counts = parse_counts(text)
    if max(counts) > MOST_CALLERS:
        raise ValueError(f"a count must be in 1..{MOST_CALLERS}")
    return counts


def row(side: Side, num_callers: int, fewest: int) -> dict[str, Any]:
    """Medians over the bursts, of the mean and of the last caller's first sound."""
    bursts = side.bursts[num_callers]
    alone_ms = median(_mean(burst["first_ms"]) for burst in side.bursts[fewest])
    mean_ms = median(_mean(burst["first_ms"]) for burst in bursts)
    last_ms = median(max(burst["first_ms"]) for burst in bursts)
    return {
        "callers": num_callers,
        "side": side.name,
        "first_sound_ms": round(mean_ms),
        "last_first_sound_ms": round(last_ms),
        "ratio": round(mean_ms / alone_ms, 2),
        "last_ratio": round(last_ms / alone_ms, 2),
        "audio_s_per_s": round(median(burst["audio_s_per_s"] for burst in bursts), 3),
        "legs_ms": {
            name: round(
                median(_mean([legs[name] for legs in burst["legs_ms"]]) for burst in bursts)
            )
            for name in bursts[0]["legs_ms"][0]
        },
    }


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)


if __name__ == "__main__":
    main()
