"""The decode step reads nothing from the host while it runs, so it can be captured."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from app.engine.t3.alignment_heads import Head
from app.engine.t3.decode import DecodeStep, Shape
from app.engine.t3.device_paths import DevicePaths
from app.engine.t3.model import T3Model, max_positions
from app.engine.t3.noise import exponential
from app.engine.t3.paged_kv_cache import PagedKVCache
from tests.support.engine.t3 import models
from tests.support.engine.t3.models import SPECS

# A device with shapes and no values: reading a value of it is an error, as waiting would be.
NOWHERE = torch.device("meta")


class OnlyOnTheDevice(TorchDispatchMode):
    """Raises AssertionError for an operation with a tensor on the host."""

    def __init__(self) -> None:
        super().__init__()
        self.num_calls = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        self.num_calls += 1
        out = func(*args, **(kwargs or {}))
        for leaf in tree_leaves((args, kwargs, out)):
            if isinstance(leaf, Tensor) and leaf.device != NOWHERE:
                raise AssertionError(f"{func} got a tensor on the host")
        return out


HEADS = (Head(0, 1), Head(1, 0))


def step_of(
    family: str,
    draw: Callable[[Tensor, Tensor, int], Tensor] = exponential,
    heads: tuple[Head, ...] = (),
) -> DecodeStep:
    spec = SPECS[family]
    model = T3Model(spec, models.upstream_t3(spec).state_dict(), NOWHERE, torch.bfloat16)
    kv_cache = PagedKVCache(
        model.backbone,
        rows_per_slot=2,
        num_slots=4,
        num_pages=200,
        max_positions=max_positions(spec),
        device=NOWHERE,
        dtype=torch.bfloat16,
    )
    paths = DevicePaths(heads, model, num_slots=4) if heads else None
    return DecodeStep(model, kv_cache, 4, draw, paths)


@pytest.mark.parametrize("family", SPECS)
@pytest.mark.parametrize("sorts", [False, True])
@pytest.mark.parametrize("heads", [(), HEADS[:1], HEADS], ids=["no words", "words", "two heads"])
def test_a_step_reads_no_tensor_of_the_host_and_no_value(family, sorts, heads):
    step, shape = step_of(family, heads=heads), Shape(8, 12, sorts)
    with torch.inference_mode(), OnlyOnTheDevice() as watched:
        step.compute(shape)
    assert watched.num_calls > 50


@pytest.mark.parametrize(
    "draw",
    [
        lambda noise, steps, vocab: torch.rand(len(steps), vocab).to(noise.device),
        lambda noise, steps, vocab: torch.rand(steps.max().item(), vocab, device=noise.device),
    ],
)
def test_the_check_notices_a_copy_and_a_wait(draw):
    step = step_of("turbo", draw)
    refused = pytest.raises((AssertionError, RuntimeError), match=r"host|meta")
    with torch.inference_mode(), refused, OnlyOnTheDevice():
        step.compute(Shape(8, 12, sorts=False))
