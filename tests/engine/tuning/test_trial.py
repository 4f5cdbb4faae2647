"""One stage, measured with several numbers of threads."""

import sys

import pytest
import torch

from app.config import ServeArgs
from app.core import Cost
from app.engine.tuning import trial
from app.engine.tuning.trial import Result, Trial

ARGS = ServeArgs(model="embedded-turbo", device="cpu")


@pytest.fixture(autouse=True)
def torch_threads():
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


@pytest.mark.parametrize(
    ("stage", "threads"),
    [
        pytest.param("t3", (1,), marks=pytest.mark.full),
        pytest.param("t3", (1, 2), marks=pytest.mark.long),
        pytest.param("vocoder", (1, 2), marks=pytest.mark.long),
    ],
)
def test_a_stage_is_measured_with_each_number_of_threads(stage, threads, monkeypatch, capsys):
    asked = Trial(stage=stage, args=ARGS, threads=threads)
    monkeypatch.setattr(sys, "argv", ["trial", asked.model_dump_json()])
    trial.main()
    result = Result.model_validate_json(capsys.readouterr().out.splitlines()[-1])
    assert tuple(result.costs) == threads
    assert all(0 < cost.of(1) < 10 for cost in result.costs.values())
    assert result.memory_bytes > 2**26
    assert result.loading_s > 0


def test_a_trial_and_its_result_survive_their_way():
    asked = Trial(stage="t3", args=ARGS, threads=(1, 4))
    assert Trial.model_validate_json(asked.model_dump_json()) == asked
    told = Result(costs={4: Cost(0.1, 0.2)}, memory_bytes=5, loading_s=1.5)
    assert Result.model_validate_json(told.model_dump_json()) == told
