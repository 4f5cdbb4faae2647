"""What every stage may be told on its command line."""

import argparse
import os
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).with_name("work")


class Options(argparse.Namespace):
    folder: Path
    seed: int
    processes: int

    def __getattr__(self, name: str) -> Any:  # what a stage adds
        raise AttributeError(name)


def options(stage: str, **more: float | int | str) -> Options:
    """--folder, --seed, --processes, and what the stage adds, each by its default."""
    parser = argparse.ArgumentParser(prog=f"python -m training.{stage}")
    parser.add_argument("--folder", type=Path, default=FOLDER, help="data, states and logs")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--processes", type=int, default=os.cpu_count(), help="or threads")
    for name, default in more.items():
        parser.add_argument(f"--{name.replace('_', '-')}", type=type(default), default=default)
    return parser.parse_args(namespace=Options())
