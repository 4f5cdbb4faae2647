"""What every stage may be told on its command line."""

import argparse
import math
import os
from pathlib import Path
from typing import Any

import torch

from training.training_loop import Schedule

FOLDER = Path(__file__).with_name("work")


class Options(argparse.Namespace):
    folder: Path
    seed: int
    processes: int
    device: torch.device

    def __getattr__(self, name: str) -> Any:  # what a stage adds
        raise AttributeError(name)


def options(stage: str, **more: float | int | str) -> Options:
    """--folder, --seed, --processes, --device, and what the stage adds, each by its default."""
    parser = argparse.ArgumentParser(prog=f"python -m training.{stage}")
    parser.add_argument("--folder", type=Path, default=FOLDER, help="data, states and logs")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--processes", type=int, default=os.cpu_count(), help="or threads")
    device = "cuda" if torch.cuda.is_available() else "cpu"
    parser.add_argument("--device", type=torch.device, default=device)
    for name, default in more.items():
        parser.add_argument(f"--{name.replace('_', '-')}", type=type(default), default=default)
    return parser.parse_args(namespace=Options())


def schedule_options(
    stage: str, *, minutes: float, steps: int, **more: float | int | str
) -> Options:
    """Those of a stage that fits something: --steps, --minutes, --within and --rate (of
    learning; 0: its own) as well."""
    given = options(stage, minutes=minutes, steps=steps, within=math.inf, rate=0.0, **more)
    torch.set_num_threads(given.processes)
    torch.set_float32_matmul_precision("high")
    return given


def schedule(given: Options, learning_rate: float, weight_decay: float = 0.01) -> Schedule:
    rate = given.rate or learning_rate
    return Schedule(given.steps, rate, weight_decay, given.minutes, given.within)
