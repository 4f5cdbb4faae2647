"""The training loop of every stage."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from training import training_loop as loop
from training.training_loop import Schedule, load_average, train


@pytest.fixture(autouse=True)
def validate_every_tenth_step(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loop, "VALIDATE_EVERY", 10)


def trained(folder: Path, steps: int, interrupted_at: int | None = None) -> nn.Linear:
    """A linear layer that learns to add."""
    torch.manual_seed(7)
    model = nn.Linear(3, 1)

    def losses(step: int) -> dict[str, Tensor]:
        if step == interrupted_at:
            raise KeyboardInterrupt
        x = torch.randn(8, 3)
        return {"error": (model(x) - x.sum(1, keepdim=True)).square().mean()}

    def validate() -> dict[str, float]:
        return {"weight": float(model.weight.detach().mean())}

    train(folder, "line", model, Schedule(steps, 0.05), losses=losses, validate=validate)
    return model


def test_an_interrupted_training_ends_with_the_same_weights(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(loop, "SAVE_EVERY_S", 0.0)
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    whole.mkdir()
    parts.mkdir()
    one = trained(whole, 60)
    for step in (25, 40):
        with pytest.raises(KeyboardInterrupt):
            trained(parts, 60, interrupted_at=step)
    other = trained(parts, 60)
    assert torch.equal(one.weight, other.weight)
    assert torch.equal(
        load_average(whole, "line", nn.Linear(3, 1)).weight,
        load_average(parts, "line", nn.Linear(3, 1)).weight,
    )


def test_the_log_shows_a_falling_error(tmp_path: Path):
    trained(tmp_path, 600)
    lines = [json.loads(line) for line in (tmp_path / "line.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines] == list(range(10, 601, 10))
    assert lines[-1]["error"] < 0.05 * lines[0]["error"]
    mean = load_average(tmp_path, "line", nn.Linear(3, 1)).weight.detach().mean()
    assert lines[-1]["weight"] == pytest.approx(float(mean), abs=1e-4)


def ends(folder: Path, schedule: Schedule) -> bool:
    model = nn.Linear(1, 1)

    def losses(step: int) -> dict[str, Tensor]:
        return {"error": model.weight.sum()}

    return train(folder, "line", model, schedule, losses=losses, validate=dict)


def test_a_run_stops_after_its_minutes(tmp_path: Path):
    assert not ends(tmp_path, Schedule(10, 0.1, minutes=0.0))
    assert (tmp_path / "line.pt").exists()


def test_a_schedule_ends_within_its_minutes(tmp_path: Path):
    assert ends(tmp_path, Schedule(10**9, 0.1, within=0.002))
    rates = [Schedule(10**9, 1.0, within=2.0).rate(200, spent_s) for spent_s in (0.0, 60.0, 120.0)]
    assert rates == pytest.approx([1.0, 0.525, 0.05], abs=1e-3)


def test_the_minutes_of_a_schedule_count_all_runs(tmp_path: Path):
    within = Schedule(10**9, 0.1, within=0.004)
    assert any(ends(tmp_path, replace(within, minutes=0.001)) for _ in range(4))


def test_the_rate_warms_up_and_falls_to_a_twentieth():
    schedule = Schedule(1000, 1.0)
    rates = [schedule.rate(step) for step in range(1000)]
    assert rates[0] == pytest.approx(1 / 150)
    assert rates.index(max(rates)) in (149, 150)
    assert rates[-1] == pytest.approx(0.05, abs=1e-3)
