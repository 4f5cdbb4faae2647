"""The seam between a transformer's arithmetic and the memory of its keys and values.

A step's tokens, of however many sequences, are one flat list; every linear layer sees all of them
at once. Only attention needs to know which token belongs to whom, and that is not the backbone's
business.
"""

from collections.abc import Mapping
from typing import Protocol

import torch
import torch.nn.functional as F
from torch import Tensor

# On a CPU, few tokens are multiplied faster with the weight on the left, where they are columns,
# and faster yet in numbers of columns that suit the library. Measured in float32 on two cores (AMD
# EPYC with AVX-512, torch 2.11, 2026-11), times faster than with the weight on the right: 1 token
# as 2 columns 1.6, 2 tokens 2.8, 3 3.0, 4 1.6, 5 to 15 as 16 columns 1.1 to 1.4, 16 1.3, 32 1.3. In
# bfloat16 1.5 at 8 and 16 tokens where there is AMX (Sapphire Rapids, 2026-07), and slower where
# there is none.
_FEW_TOKENS = 48
_FAST_COLUMNS = {1: 2} | dict.fromkeys(range(5, 16), 16)
_HAS_AMX = bool(torch.cpu.get_capabilities().get("amx_bf16", False))


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


def linear(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """x: (N, in); weight: (out, in). Returns (N, out), contiguous."""
    num_columns = _columns(x)
    if num_columns is None:
        return F.linear(x, weight, bias)
    columns = F.pad(x, (0, 0, 0, num_columns - len(x))).t()
    product = (weight @ columns).t()[: len(x)].contiguous()
    return product if bias is None else product.add_(bias)


def _columns(x: Tensor) -> int | None:
    """How many columns x becomes on the right of a weight; None where it stays on the left."""
    num_tokens = len(x)
    if x.device.type != "cpu" or num_tokens > _FEW_TOKENS:
        return None
    if x.dtype is torch.float32:
        return _FAST_COLUMNS.get(num_tokens, num_tokens)
    return num_tokens if _HAS_AMX and num_tokens >= 4 else None
