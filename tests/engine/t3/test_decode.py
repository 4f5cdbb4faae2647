"""The decode step needs nothing of the host while it runs: else it could not be captured."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from app.engine.t3.decode import DecodeStep, Shape
from app.engine.t3.model import T3Model, max_positions
from app.engine.t3.noise import exponential
from app.engine.t3.paged_kv_cache import PagedKVCache
from tests.support.engine.t3 import models

# A device that knows shapes alone: to read a value of it, as a host that waits would, is an error.
NOWHERE = torch.device("meta")
SPECS = {"english": models.ENGLISH, "turbo": models.TURBO}


class OnTheDeviceAlone(TorchDispatchMode):
    """Every tensor of every operation is there."""

    def __init__(self) -> None:
        super().__init__()
        self.num_calls = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        self.num_calls += 1
        out = func(*args, **(kwargs or {}))
        for leaf in tree_leaves((args, kwargs, out)):
            if isinstance(leaf, Tensor) and leaf.device != NOWHERE:
                raise AssertionError(f"{func} met a tensor of the host")
        return out


def step_of(family: str, draw: Callable[[Tensor, Tensor, int], Tensor] = exponential) -> DecodeStep:
    spec = SPECS[family]
    model = T3Model(spec, models.upstream_t3(spec).state_dict(), NOWHERE, torch.bfloat16)
    slab = PagedKVCache(
        model.backbone,
        rows_per_slot=2,
        num_slots=4,
        num_pages=200,
        max_positions=max_positions(spec),
        device=NOWHERE,
        dtype=torch.bfloat16,
    )
    return DecodeStep(model, slab, 4, draw)


@pytest.mark.parametrize("family", SPECS)
@pytest.mark.parametrize("sorts", [False, True])
def test_a_step_reads_no_value_and_no_tensor_of_the_host(family, sorts):
    step, shape = step_of(family), Shape(8, 12, sorts)
    with torch.inference_mode(), OnTheDeviceAlone() as watched:
        step.compute(shape)
    assert watched.num_calls > 50


@pytest.mark.parametrize(
    "draw",
    [
        lambda noise, steps, vocab: torch.rand(len(steps), vocab).to(noise.device),
        lambda noise, steps, vocab: torch.rand(steps.max().item(), vocab, device=noise.device),
    ],
)
def test_the_watch_notices_a_copy_and_a_wait(draw):
    step = step_of("turbo", draw)
    refused = pytest.raises((AssertionError, RuntimeError), match=r"host|meta")
    with torch.inference_mode(), refused, OnTheDeviceAlone():
        step.compute(Shape(8, 12, sorts=False))
