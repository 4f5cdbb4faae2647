"""A CPU keeps the plan of every convolution that a vocoder runs again."""

import os
import subprocess
import sys

import pytest

from app.config import ServeArgs
from app.engine.device.convolution_plans import keep_plans
from app.engine.stages.vocoder import VocoderStage

CAPACITY = "ONEDNN_PRIMITIVE_CACHE_CAPACITY"
NUM_SHAPES = 1100  # more than oneDNN keeps by itself
PROGRAM = f"""
import torch
from app.engine.device.convolution_plans import keep_plans
if KEEPS: keep_plans()
weight = torch.ones(64, 64, 1, 3)
for number in range(2):
    for length in range(2000, 2000 + {NUM_SHAPES}):
        torch.conv2d(torch.ones(1, 64, 1, length), weight)
    print("pass", flush=True)
"""


def num_plans_of_second_pass(*, keeps: bool) -> int:
    """Plans that are made for shapes that were run before."""
    environment = {name: value for name, value in os.environ.items() if name != CAPACITY}
    output = subprocess.run(
        [sys.executable, "-c", PROGRAM.replace("KEEPS", str(keeps))],
        env=environment | {"ONEDNN_VERBOSE": "profile_create", "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    _, second, _ = output.split("pass\n")
    return second.count("create:cache_miss")


@pytest.mark.full
def test_a_shape_that_was_run_is_not_planned_again():
    assert num_plans_of_second_pass(keeps=True) == 0


@pytest.mark.full
def test_torch_alone_plans_such_shapes_again_and_again():
    """The control of the test above."""
    assert num_plans_of_second_pass(keeps=False) >= NUM_SHAPES


def test_a_number_of_the_environment_stays(monkeypatch):
    monkeypatch.setenv(CAPACITY, "7")
    keep_plans()
    assert os.environ[CAPACITY] == "7"


def test_a_vocoder_keeps_its_plans(monkeypatch):
    monkeypatch.setenv(CAPACITY, "")
    monkeypatch.delenv(CAPACITY)
    VocoderStage.open(ServeArgs(model="embedded-babble"), "cpu")
    assert int(os.environ[CAPACITY]) > 10_000
