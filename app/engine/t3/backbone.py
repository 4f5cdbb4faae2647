"""The seam between a transformer's arithmetic and the cache of its keys and values.

The tokens of all sequences of a step are one flat list, and every linear layer gets all of them at
once. Only attention knows which token belongs to which sequence. The backbone knows nothing about
sequences.
"""

from collections.abc import Mapping
from typing import Protocol

import torch
from torch import Tensor

from app.engine.device.int8_linear import Int8Linear
from app.engine.device.layers import FloatLinear, Linear


class Attention(Protocol):
    """One step's attention: each token attends to the positions of its own sequence so far."""

    def __call__(self, layer: int, qkv: Tensor) -> Tensor:
        """Cache the keys and values, then attend.

        qkv: (N, 3, heads, head_dim), positions already applied. Returns (N, heads * head_dim).
        """
        ...


class Backbone(Protocol):
    num_layers: int
    num_heads: int
    head_dim: int

    def forward(self, hidden: Tensor, positions: Tensor, attend: Attention) -> Tensor:
        """hidden: (N, dim); positions: (N,) int64. Returns (N, dim), before the final norm."""
        ...

    def norm(self, hidden: Tensor) -> Tensor:
        """The final norm. Only tokens whose next token is sampled need it."""
        ...


class Weights:
    """Part of a state dict. Tensors are taken to one device, in one precision."""

    def __init__(
        self,
        state: Mapping[str, Tensor],
        prefix: str,
        device: torch.device,
        dtype: torch.dtype,
        *,
        in_int8: bool = False,
    ) -> None:
        """`in_int8`: the weights of `linear`, whatever `dtype` the rest has."""
        self._state = state
        self._prefix = prefix
        self._device = device
        self._dtype = dtype
        self._in_int8 = in_int8

    def under(self, prefix: str) -> "Weights":
        prefix = f"{self._prefix}{prefix}."
        return Weights(self._state, prefix, self._device, self._dtype, in_int8=self._in_int8)

    def take(self, *names: str) -> Tensor:
        """One tensor, or several stacked along their first dimension."""
        tensors = [self._state[self._prefix + name].detach() for name in names]
        whole = tensors[0] if len(tensors) == 1 else torch.cat(tensors)
        return whole.to(self._device, self._dtype).contiguous()

    def linear(self, *names: str, is_transposed: bool = False) -> Linear:
        """One layer, or several layers side by side, with the bias where there is one.
        `is_transposed`: the weight is stored as (in, out), as GPT-2's are."""
        weights = [self._state[f"{self._prefix}{name}.weight"].detach() for name in names]
        weight = weights[0] if len(weights) == 1 else torch.cat(weights)
        weight = weight.t() if is_transposed else weight
        has_bias = f"{self._prefix}{names[0]}.bias" in self._state
        bias = self.take(*(f"{name}.bias" for name in names)) if has_bias else None
        if self._in_int8:
            return Int8Linear(weight, bias)
        return FloatLinear(weight.to(self._device, self._dtype).contiguous(), bias)
