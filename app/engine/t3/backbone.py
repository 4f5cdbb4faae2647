"""The seam between a transformer's arithmetic and the memory of its keys and values.

A step's tokens, of however many sequences, are one flat list; every linear layer sees all of them
at once. Only attention needs to know which token belongs to whom, and that is not the backbone's
business.
"""

from collections.abc import Mapping
from typing import Protocol

import torch
from torch import Tensor


class Attention(Protocol):
    """One step's attention over everything that each sequence has said so far."""

    def __call__(self, layer: int, qkv: Tensor) -> Tensor:
        """Remember the keys and values, then attend.

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
        """The final norm, which only tokens that are sampled from need."""
        ...


class Weights:
    """Part of a state dict, on its way to a device and a precision."""

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
