"""Tensors on demand are those of the file, and leave the memory with their user."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from app.engine.checkpoint.blueprint import Blueprint
from app.engine.checkpoint.weights import (
    Outline,
    Section,
    TensorsOnDemand,
    load_module,
    load_tensors,
)
from app.errors import CheckpointError

CPU, F32 = torch.device("cpu"), torch.float32
STATE = {"a.weight": torch.arange(6.0).view(2, 3), "b": torch.ones(4)}
OUTLINE = Outline({name: tuple(tensor.shape) for name, tensor in STATE.items()})


@pytest.fixture
def section(tmp_path: Path) -> Section:
    path = tmp_path / "model.safetensors"
    save_file({f"part.{name}": tensor for name, tensor in STATE.items()}, path)
    return Section(path, "part.")


def num_mappings(path: Path) -> int:
    return Path("/proc/self/maps").read_text().count(str(path))


def test_tensors_on_demand_are_those_that_are_loaded_at_once(section):
    ours, loaded = (
        TensorsOnDemand(OUTLINE, section, CPU, F32),
        load_tensors(OUTLINE, section, CPU, F32),
    )
    assert list(ours) == list(loaded)
    assert len(ours) == 2
    for name, tensor in loaded.items():
        assert torch.equal(ours[name], tensor)
    assert "c" not in ours
    assert ours["b"].dtype is F32


def test_the_file_is_in_memory_as_long_as_a_tensor_of_it_is(section):
    ours = TensorsOnDemand(OUTLINE, section, CPU, F32)
    assert num_mappings(section.path) == 0
    tensor = ours["a.weight"]
    assert num_mappings(section.path) == 1
    del tensor
    assert num_mappings(section.path) == 0
    at_once = load_tensors(OUTLINE, section, CPU, F32)
    kept = at_once.pop("b")
    del at_once
    assert num_mappings(section.path) == 1  # the control: one small tensor holds the whole file
    assert len(kept) == 4


@pytest.mark.parametrize("one_by_one", [False, True])
def test_a_module_that_is_loaded_one_by_one_gives_back_what_it_drops(section, one_by_one):
    def build() -> nn.Module:
        module = nn.Module()
        module.a = nn.Linear(3, 2, bias=False)
        module.b = nn.Parameter(torch.zeros(4))
        return module

    module = load_module(Blueprint(build), section, CPU, F32, one_by_one=one_by_one)
    assert torch.equal(module.a.weight, STATE["a.weight"])
    assert torch.equal(module.b, STATE["b"])
    num_before = num_mappings(section.path)
    assert num_before == (2 if one_by_one else 1)
    module.a.weight = None
    assert num_mappings(section.path) == 1
    module.b = None
    assert num_mappings(section.path) == 0


def test_a_file_of_another_model_is_refused_at_once(section):
    wrong = Outline({**OUTLINE.shapes, "c": (1,)})
    with pytest.raises(CheckpointError, match="c is missing"):
        TensorsOnDemand(wrong, section, CPU, F32)
