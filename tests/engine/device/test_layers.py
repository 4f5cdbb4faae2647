"""Layers of a module: in float32 they are the module's own, in int8 they are near them."""

import pytest
import torch
from torch import nn

from app.engine.device.layers import Layers
from tests.support.engine.int8 import needs_int8


def module_of(seed: int) -> nn.Sequential:
    torch.manual_seed(seed)
    layers = nn.Linear(64, 96), nn.Linear(96, 32, bias=False)
    return nn.Sequential(*layers).requires_grad_(requires_grad=False)


def run(layers: Layers, module: nn.Sequential, x: torch.Tensor) -> torch.Tensor:
    for layer in module:
        x = layers(layer, x)
    return x


def test_layers_in_float32_are_the_modules_own():
    module, x = module_of(1), torch.randn(3, 5, 64)
    ours = run(Layers(module, in_int8=False), module, x)
    torch.testing.assert_close(ours, module(x), atol=1e-5, rtol=1e-5)


@needs_int8
def test_layers_in_int8_are_near_the_modules_own_whose_weights_are_dropped():
    module, x = module_of(1), torch.randn(3, 5, 64)
    exact = module(x)
    ours = run(Layers(module, in_int8=True), module, x)
    assert 1e-3 < (ours - exact).std() / exact.std() < 0.04
    assert sum(layer.weight.numel() for layer in module) == 0
    with pytest.raises(RuntimeError):
        module(x)
