"""The command-line options of the training stages."""

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

    def __getattr__(self, name: str) -> Any:  # the options that a stage adds
        raise AttributeError(name)


def parse_options(stage: str, **more: float | int | str) -> Options:
    """`more` are the stage's own options: each name with its default value."""
    parser = argparse.ArgumentParser(prog=f"python -m training.{stage}")
    parser.add_argument(
        "--folder", type=Path, default=FOLDER, help="the folder of data, states and logs"
    )
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument(
        "--processes", type=int, default=os.cpu_count(), help="number of processes or threads"
    )
    device = "cuda" if torch.cuda.is_available() else "cpu"
    parser.add_argument("--device", type=torch.device, default=device)
    for name, default in more.items():
        parser.add_argument(f"--{name.replace('_', '-')}", type=type(default), default=default)
    return parser.parse_args(namespace=Options())


def parse_training_options(
    stage: str, *, minutes: float, steps: int, **more: float | int | str
) -> Options:
    """Adds --steps, --minutes, --within and --rate, as `Schedule` describes them. A rate of 0
    stands for the stage's own learning rate."""
    options = parse_options(stage, minutes=minutes, steps=steps, within=math.inf, rate=0.0, **more)
    torch.set_num_threads(options.processes)
    torch.set_float32_matmul_precision("high")
    return options


def schedule_of(options: Options, learning_rate: float, weight_decay: float = 0.01) -> Schedule:
    rate = options.rate or learning_rate
    return Schedule(options.steps, rate, weight_decay, options.minutes, options.within)
