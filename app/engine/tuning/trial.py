"""Measures one stage of a model with each number of threads, in a process of its own.

    python -m app.engine.tuning.trial JSON

The argument is a Trial. The last line of stdout is a Trial's Result. Knows nothing about what is
chosen by it.
"""

import sys
import time
from typing import Literal

import psutil
from pydantic import BaseModel, ConfigDict

from app.config import ServeArgs
from app.core import Cost
from app.engine.device.threads import computing_with
from app.engine.stages.t3 import T3Stage
from app.engine.stages.vocoder import VocoderStage

StageName = Literal["t3", "vocoder"]


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True)


class Trial(_Frozen):
    stage: StageName
    args: ServeArgs
    threads: tuple[int, ...]


class Result(_Frozen):
    """`costs` lacks a number of threads with which the speed could not be measured."""

    costs: dict[int, Cost]
    memory_bytes: int  # of the process, with the stage in it
    loading_s: float


def run(trial: Trial) -> Result:
    began_s = time.perf_counter()
    with computing_with(max(trial.threads)):
        stage: T3Stage | VocoderStage = (
            T3Stage.open(trial.args, "cpu")
            if trial.stage == "t3"
            else VocoderStage.open(trial.args, "cpu")
        )
    loading_s = time.perf_counter() - began_s
    costs = {}
    for num_threads in trial.threads:
        with computing_with(num_threads):
            cost = stage.measure(time.perf_counter)
        if cost is not None:
            costs[num_threads] = cost
    return Result(costs=costs, memory_bytes=psutil.Process().memory_info().rss, loading_s=loading_s)


def main() -> None:
    result = run(Trial.model_validate_json(sys.argv[1]))
    sys.stdout.write(result.model_dump_json() + "\n")


if __name__ == "__main__":
    main()
