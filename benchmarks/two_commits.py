"""Two commits that take turns on one machine: the engine of each in a process of its own.

A machine's speed changes from minute to minute, so only times of neighbouring turns are compared.
Knows nothing about models.
"""

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from statistics import median
from typing import NamedTuple

from benchmarks.measure import say

ROOT = Path(__file__).parents[1]
_WORKER = Path(__file__).with_name("side_worker.py")


class Side(NamedTuple):
    name: str
    checkout: Path
    dtype: str


class Worker:
    """A started side. It computes while it is asked, and else waits."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._process = process

    def ask(self, numbers: Mapping[str, int]) -> Mapping[str, float]:
        """Raises RuntimeError where the process has ended."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(numbers) + "\n")
        self._process.stdin.flush()
        return self.answer()

    def answer(self) -> Mapping[str, float]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"a side has ended with {self._process.wait()}")
        values: Mapping[str, float] = json.loads(line)
        return values


@contextmanager
def workers(sides: Sequence[Side], stage: str, model: str, *more: str) -> Iterator[list[Worker]]:
    """One per side, each with its weights loaded."""
    with ExitStack() as stack:
        started = []
        for side in sides:
            words = [str(side.checkout), stage, model, side.dtype, *more]
            process = subprocess.Popen(
                [sys.executable, str(_WORKER), *words],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
            stack.enter_context(process)
            stack.callback(process.kill)
            worker = Worker(process)
            worker.answer()  # it is loaded
            started.append(worker)
        yield started


def take_turns(
    started: Sequence[Worker], turns: Sequence[Mapping[str, int]], rounds: int
) -> list[list[list[Mapping[str, float]]]]:
    """By turn, by side, by round. The first round, which warms the kernels up, is dropped."""
    found: list[list[list[Mapping[str, float]]]] = [[[] for _ in started] for _ in turns]
    for number in range(rounds + 1):
        for turn, by_side in zip(turns, found, strict=True):
            for worker, answers in zip(started, by_side, strict=True):
                answer = worker.ask(turn)
                if number:
                    answers.append(answer)
        if number:
            say(f"round {number} of {rounds} is done")
    return found


def compared(
    before: Sequence[Mapping[str, float]], now: Sequence[Mapping[str, float]], name: str
) -> dict[str, float]:
    """Medians of both sides, their ratio, and the ratio of the best values. `name` ends with _per_s
    where more is better."""
    old, new = ([answer[name] for answer in side] for side in (before, now))
    best = max if name.endswith("_per_s") else min
    return {
        f"{name}_before": round(median(old), 3),
        f"{name}": round(median(new), 3),
        "ratio": round(median([b / a for a, b in zip(old, new, strict=True)]), 3),
        "ratio_of_best": round(best(new) / best(old), 3),
    }
