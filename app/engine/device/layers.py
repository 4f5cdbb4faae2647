"""Linear layers with their weights, in the precision of a model or in int8.

A model asks for its layers once, at load, and calls them without knowing which they are.
"""

from collections.abc import Iterable, Sequence
from typing import Protocol

import torch
from torch import Tensor, nn

from app.engine.device.int8_linear import Int8Linear
from app.engine.device.linear import linear


class Linear(Protocol):
    def __call__(self, x: Tensor) -> Tensor:
        """(..., in) -> (..., out), contiguous."""
        ...


class FloatLinear:
    def __init__(self, weight: Tensor, bias: Tensor | None = None) -> None:
        """weight: (out, in); bias: (out,)."""
        self._weight = weight
        self._bias = bias

    def __call__(self, x: Tensor) -> Tensor:
        return linear(x, self._weight, self._bias)


class Layers:
    """Of a module. Calls of one of its layers."""

    def __init__(self, layers: Iterable[nn.Linear], *, in_int8: bool) -> None:
        """In int8 the layers' own weights are dropped: the module itself cannot run any more."""
        self._by_layer = {layer: joined([layer], in_int8=in_int8) for layer in layers}

    def __call__(self, layer: nn.Linear, x: Tensor) -> Tensor:
        return self._by_layer[layer](x)


def joined(layers: Sequence[nn.Linear], *, in_int8: bool) -> Linear:
    """One product for several layers with the same input; their outputs are side by side. In
    float32 the layers' own weights become views of the joint one, in int8 they are dropped: memory
    holds them once."""
    weight = _joint([layer.weight.detach() for layer in layers])
    has_bias = layers[0].bias is not None
    bias = _joint([layer.bias.detach() for layer in layers]) if has_bias else None
    if in_int8:
        for layer in layers:
            layer.weight = nn.Parameter(torch.empty(0), requires_grad=False)
        return Int8Linear(weight, bias)
    for layer, own in zip(layers, weight.chunk(len(layers)), strict=True):
        layer.weight.data = own
    return FloatLinear(weight, bias)


def _joint(parts: Sequence[Tensor]) -> Tensor:
    return parts[0] if len(parts) == 1 else torch.cat(list(parts))
