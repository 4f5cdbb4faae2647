"""The training loop of every stage: resumable, with averaged weights and a log."""

import json
import math
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import torch
from torch import Tensor, nn

WARM_UP = 150  # steps
CLIP = 1.0  # gradient norm
SAVE_EVERY_S = 120.0
VALIDATE_EVERY = 200  # steps
AVERAGED = 0.999
LOW = 0.05  # of the learning rate, at the end

Model = TypeVar("Model", bound=nn.Module)


@dataclass(frozen=True, slots=True)
class Schedule:
    steps: int
    learning_rate: float
    weight_decay: float = 0.01
    minutes: float = math.inf  # this run stops after them; the next run continues
    within: float = math.inf  # minutes over all runs after which the schedule is at its end

    def rate(self, step: int, spent_s: float = 0.0) -> float:
        """Warm-up, then a cosine down to a twentieth of the learning rate."""
        if step < WARM_UP:
            return self.learning_rate * (step + 1) / WARM_UP
        by_step = (step - WARM_UP) / max(1, self.steps - WARM_UP)
        done = min(1.0, max(by_step, spent_s / 60 / self.within))
        return self.learning_rate * (LOW + (1 - LOW) * 0.5 * (1 + math.cos(math.pi * done)))


def train(
    folder: Path,
    name: str,
    model: nn.Module,
    schedule: Schedule,
    *,
    losses: Callable[[int], Mapping[str, Tensor]],
    validate: Callable[[], Mapping[str, float]],
) -> bool:
    """Trains until the schedule ends or the minutes of this run are over. Returns whether the
    schedule ended.

    `losses(step)` draws from torch's generator, which the loop seeds with the step, and returns the
    losses by name; the loop adds them. `validate` measures on utterances outside the training set.
    The state is `<folder>/<name>.pt`, the log `<folder>/<name>.jsonl`. `load_average` returns a
    running mean of the weights over about a thousand steps.
    """
    path, log = folder / f"{name}.pt", folder / f"{name}.jsonl"
    optimiser = torch.optim.AdamW(
        model.parameters(), weight_decay=schedule.weight_decay, betas=(0.9, 0.98), fused=True
    )
    average = [p.detach().clone() for p in model.parameters()]
    step, before_s = 0, 0.0
    if path.exists():
        state = torch.load(path, weights_only=True, map_location=average[0].device)
        model.load_state_dict(state["model"])
        if state["optimiser"] is not None:
            optimiser.load_state_dict(state["optimiser"])
        average, step, before_s = state["average"], state["step"], state.get("spent_s", 0.0)
    begun_s = saved_s = time.monotonic()
    sums: dict[str, Tensor] = {}
    first = step
    until_s = min(before_s + schedule.minutes * 60, schedule.within * 60)
    spent_s = before_s  # over all runs
    while step < schedule.steps and spent_s < until_s:
        torch.manual_seed(step)
        model.train()
        for group in optimiser.param_groups:
            group["lr"] = schedule.rate(step, spent_s)
        parts = losses(step)
        optimiser.zero_grad(set_to_none=True)
        torch.autograd.backward(torch.stack(list(parts.values())).sum())
        nn.utils.clip_grad_norm_(model.parameters(), CLIP)
        optimiser.step()
        step += 1
        with torch.no_grad():
            kept = min(AVERAGED, step / (step + 10))
            torch._foreach_lerp_(average, list(model.parameters()), 1 - kept)
        for key, value in parts.items():
            sums[key] = sums.get(key, 0.0) + value.detach()  # reading it would wait for the device
        if step % VALIDATE_EVERY == 0 or step == schedule.steps:
            means = {key: round(float(value) / (step - first), 4) for key, value in sums.items()}
            sums, first = {}, step
            with averaged(model, average):
                validated = {key: round(value, 4) for key, value in validate().items()}
            line = {"step": step, **means, **validated, "s": round(time.monotonic() - begun_s, 1)}
            append_log(log, line)
        spent_s = before_s + time.monotonic() - begun_s
        if time.monotonic() - saved_s > SAVE_EVERY_S:
            save_state(path, model, optimiser, average, step, spent_s=spent_s)
            saved_s = time.monotonic()
    save_state(path, model, optimiser, average, step, spent_s=spent_s)
    return step >= schedule.steps or spent_s >= schedule.within * 60


@contextmanager
def averaged(model: nn.Module, average: list[Tensor]) -> Iterator[None]:
    """Within the block, `model` has the averaged weights and is in eval mode."""
    own = [p.detach().clone() for p in model.parameters()]
    _set_parameters(model, average)
    model.eval()
    yield
    _set_parameters(model, own)


@torch.no_grad()
def _set_parameters(model: nn.Module, values: list[Tensor]) -> None:
    for parameter, value in zip(model.parameters(), values, strict=True):
        parameter.copy_(value)


def load_average(folder: Path, name: str, model: Model) -> Model:
    """`model` with the averaged weights of a stage. Raises FileNotFoundError if the stage has not
    been trained."""
    device = next(model.parameters()).device
    state = torch.load(folder / f"{name}.pt", weights_only=True, map_location=device)
    model.load_state_dict(state["model"])
    _set_parameters(model, state["average"])
    return model.eval()


def save_initial_state(folder: Path, name: str, model: nn.Module) -> None:
    """Saves the state of a stage that starts from the weights of `model` at step 0."""
    average = [p.detach().clone() for p in model.parameters()]
    save_state(folder / f"{name}.pt", model, None, average, 0)


def save_state(
    path: Path,
    model: nn.Module,
    optimiser: torch.optim.Optimizer | None,
    average: list[Tensor],
    step: int,
    *,
    spent_s: float = 0.0,
) -> None:
    state = {
        "model": model.state_dict(),
        "optimiser": optimiser and optimiser.state_dict(),
        "average": average,
        "step": step,
        "spent_s": spent_s,
    }
    torch.save(state, path.with_suffix(".partial"))
    path.with_suffix(".partial").rename(path)


def append_log(log: Path, line: Mapping[str, object]) -> None:
    with log.open("a") as file:
        file.write(json.dumps(line) + "\n")
    sys.stdout.write(f"{log.stem} {line}\n")
    sys.stdout.flush()
