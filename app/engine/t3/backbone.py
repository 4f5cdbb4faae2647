"""The seam between a transformer's arithmetic and the cache of its keys and values.

The tokens of all sequences of a step are one flat list, and every linear layer gets all of them at
once. Only attention knows which token belongs to which sequence. The backbone knows nothing about
sequences.
"""

from collections.abc import Mapping
from typing import Protocol

import torch
from torch import Tensor


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
        self, state: Mapping[str, Tensor], prefix: str, device: torch.device, dtype: torch.dtype
    ) -> None:
        self._state = state
        self._prefix = prefix
        self._device = device
        self._dtype = dtype

    def under(self, prefix: str) -> "Weights":
        return Weights(self._state, f"{self._prefix}{prefix}.", self._device, self._dtype)

    def take(self, *names: str) -> Tensor:
        """One tensor, or several stacked along their first dimension."""
        tensors = [self._state[self._prefix + name].detach() for name in names]
        whole = tensors[0] if len(tensors) == 1 else torch.cat(tensors)
        return whole.to(self._device, self._dtype).contiguous()

    def take_transposed(self, name: str) -> Tensor:
        """GPT-2 stores its linear weights (in, out)."""
        return (
            self._state[self._prefix + name].detach().t().to(self._device, self._dtype).contiguous()
        )
