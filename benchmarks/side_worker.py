"""One engine of a checkout, in a process of its own: a side of a comparison of two commits.

    python benchmarks/side_worker.py ../the-commit-before t3 random-turbo float32

Answers each line on stdin, the numbers of one turn as JSON, with one line of JSON. Runs with the
code of the checkout. Knows nothing about rounds or ratios.
"""

import json
import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

os.environ.setdefault("ONEDNN_PRIMITIVE_CACHE_CAPACITY", "16384")  # of both sides the same
sys.path.insert(0, str(Path(sys.argv[1]).resolve()))

import torch

Turn = Callable[[Mapping[str, int]], Mapping[str, float]]
CPU = torch.device("cpu")
_MOST_SEQUENCES = 16


def main() -> None:
    stage, model, dtype = sys.argv[2:5]
    turn = open_t3(model, dtype) if stage == "t3" else open_vocoder(model, dtype, sys.argv[5])
    answer({"resident_mb": _resident_mb()})
    for line in sys.stdin:
        answer(turn(json.loads(line)))


def open_t3(model: str, dtype: str) -> Turn:
    from app.engine.checkpoint.source import open_checkpoint  # noqa: PLC0415 (of the checkout)
    from benchmarks.t3_sides import Engine, load  # noqa: PLC0415

    subject = load(open_checkpoint(model), CPU, torch.float32)
    # The commit before knows no dtype.
    if dtype == "int8":
        engine = Engine(subject, _MOST_SEQUENCES, dtype="int8")
    else:
        engine = Engine(subject, _MOST_SEQUENCES)

    def turn(numbers: Mapping[str, int]) -> Mapping[str, float]:
        decoding = engine.decode(numbers["num_sequences"], numbers["num_tokens"])
        return {"tokens_per_s": decoding.tokens_per_s, "prefill_s": decoding.prefill_s}

    return turn


def open_vocoder(model: str, dtype: str, policy: str) -> Turn:
    from app.engine.checkpoint.source import open_checkpoint  # noqa: PLC0415
    from benchmarks.s3gen_sides import Engine, load  # noqa: PLC0415

    subject = load(open_checkpoint(model), CPU)
    engine = Engine(subject, policy, dtype="int8") if dtype == "int8" else Engine(subject, policy)

    def turn(numbers: Mapping[str, int]) -> Mapping[str, float]:
        return engine.speak(numbers["num_streams"], numbers["num_tokens"])._asdict()

    return turn


def answer(values: Mapping[str, float]) -> None:
    sys.stdout.write(json.dumps(values) + "\n")
    sys.stdout.flush()


def _resident_mb() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


if __name__ == "__main__":
    main()
