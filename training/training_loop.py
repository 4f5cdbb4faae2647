"""The loop that every stage is trained in: resumable, averaged, logged."""

import json
import math
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

WARM_UP = 150  # steps
CLIP = 1.0  # gradient norm
SAVE_EVERY_S = 120.0
CHECK_EVERY = 200  # steps
AVERAGED = 0.999
LOW = 0.05  # of the learning rate, at the end


@dataclass(frozen=True, slots=True)
class Schedule:
    steps: int
    learning_rate: float
    weight_decay: float = 0.01
    minutes: float = math.inf  # then stop, to be gone on with
    within: float = math.inf  # minutes, of all sittings, for the schedule, however many steps

    def rate(self, step: int, spent_s: float = 0.0) -> float:
        """Warm-up, then a cosine down to a twentieth."""
        if step < WARM_UP:
            return self.learning_rate * (step + 1) / WARM_UP
        by_step = (step - WARM_UP) / max(1, self.steps - WARM_UP)
        done = min(1.0, max(by_step, spent_s / 60 / self.within))
        return self.learning_rate * (LOW + (1 - LOW) * 0.5 * (1 + math.cos(math.pi * done)))


def fit(
    folder: Path,
    name: str,
    model: nn.Module,
    schedule: Schedule,
    *,
    losses: Callable[[int], Mapping[str, Tensor]],
    check: Callable[[], Mapping[str, float]],
) -> bool:
    """Train until the schedule's end or its minutes are over; returns whether it ended.

    `losses(step)` draws from torch's generator, which is seeded by the step, and returns what is
    added up, by name. `check` measures on utterances that are never learnt from. The state is
    `<folder>/<name>.pt`, the log `<folder>/<name>.jsonl`; the weights that `load_average` returns
    are a running mean over about a thousand steps.
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
    spent_s = before_s  # of all sittings
    while step < schedule.steps and spent_s < until_s:
        torch.manual_seed(step)
        model.train()
        for group in optimiser.param_groups:
            group["lr"] = schedule.rate(step, spent_s)
        parts = losses(step)
        optimiser.zero_grad(set_to_none=True)
        torch.stack(list(parts.values())).sum().backward()
        nn.utils.clip_grad_norm_(model.parameters(), CLIP)
        optimiser.step()
        step += 1
        with torch.no_grad():
            kept = min(AVERAGED, step / (step + 10))
            torch._foreach_lerp_(average, list(model.parameters()), 1 - kept)
        for key, value in parts.items():
            sums[key] = sums.get(key, 0.0) + value.detach()  # not read: a device is not waited for
        if step % CHECK_EVERY == 0 or step == schedule.steps:
            means = {key: round(float(value) / (step - first), 4) for key, value in sums.items()}
            sums, first = {}, step
            with averaged(model, average):
                checked = {key: round(value, 4) for key, value in check().items()}
            line = {"step": step, **means, **checked, "s": round(time.monotonic() - begun_s, 1)}
            note(log, line)
        spent_s = before_s + time.monotonic() - begun_s
        if time.monotonic() - saved_s > SAVE_EVERY_S:
            save(path, model, optimiser, average, step, spent_s=spent_s)
            saved_s = time.monotonic()
    save(path, model, optimiser, average, step, spent_s=spent_s)
    return step >= schedule.steps or spent_s >= schedule.within * 60


@contextmanager
def averaged(model: nn.Module, average: list[Tensor]) -> Iterator[None]:
    """Within it `model` has the averaged weights, in eval mode."""
    own = [p.detach().clone() for p in model.parameters()]
    _put(model, average)
    model.eval()
    yield
    _put(model, own)


@torch.no_grad()
def _put(model: nn.Module, values: list[Tensor]) -> None:
    for parameter, value in zip(model.parameters(), values, strict=True):
        parameter.copy_(value)


def load_average(folder: Path, name: str, model: nn.Module) -> nn.Module:
    """`model` as it was trained. Raises FileNotFoundError where it has not been."""
    device = next(model.parameters()).device
    state = torch.load(folder / f"{name}.pt", weights_only=True, map_location=device)
    model.load_state_dict(state["model"])
    _put(model, state["average"])
    return model.eval()


def begin_from(folder: Path, name: str, model: nn.Module) -> None:
    """The state of a stage that has `model` and has not made a step yet."""
    average = [p.detach().clone() for p in model.parameters()]
    save(folder / f"{name}.pt", model, None, average, 0)


def save(
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


def note(log: Path, line: Mapping[str, object]) -> None:
    with log.open("a") as file:
        file.write(json.dumps(line) + "\n")
    sys.stdout.write(f"{log.stem} {line}\n")
    sys.stdout.flush()
