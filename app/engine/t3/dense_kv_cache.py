"""Keys and values of the running sequences, and attention over them.

Each slot holds one sequence: one tensor per layer, contiguous per row, with the sequence's length
rounded up to whole pages. The tensor grows by one page at a time, so a sequence wastes less than a
page per row. Moving it costs 1/16 of its size per step. Made for a CPU, where attention over
contiguous memory needs no gathering.

A prefix is kept once, as one row, and copied into each sequence that begins with it. The copy takes
2 ms for english and 22 ms for turbo (full size, float32). Computing the prefix takes 0.2 s and 1 s.
Attention to the kept prefix in place, with the two parts joined by their weights, would take 1.4 to
2.4 times as long in every later step (two cores, torch 2.11, 2026-11). Knows nothing about
scheduling.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from app.engine.t3.kv_budget import PAGE, Prefix, pages_of


@dataclass(frozen=True, slots=True)
class Span:
    """The place of one sequence's tokens in the flat list of a step: row after row."""

    slot: int
    first: int  # index of the first row's first token
    num_rows: int
    start: int  # position of that token in its sequence
    num_tokens: int  # in each row

    @property
    def end(self) -> int:
        return self.start + self.num_tokens

    @property
    def flat(self) -> slice:
        return slice(self.first, self.first + self.num_rows * self.num_tokens)


class DenseKVCache:
    def __init__(
        self,
        num_layers: int,
        num_heads: int,
        head_dim: int,
        device: torch.device,
        dtype: torch.dtype,
    ) -> None:
        self._num_layers = num_layers
        self._num_heads = num_heads
        self._head_dim = head_dim
        self._device = device
        self._dtype = dtype
        self._slots: dict[int, list[Tensor]] = {}  # per layer (2, rows, heads, capacity, head_dim)
        self._prefixes: dict[Prefix, list[Tensor]] = {}  # per layer (2, 1, heads, P, head_dim)

    @property
    def num_bytes(self) -> int:
        """Held by slots; kept prefixes are not counted."""
        return sum(layer.nbytes for layers in self._slots.values() for layer in layers)

    @property
    def num_prefixes(self) -> int:
        return len(self._prefixes)

    def pages_held(self, slot: int) -> int:
        layers = self._slots.get(slot)
        return 0 if layers is None else layers[0].shape[1] * layers[0].shape[3] // PAGE

    def reserve(self, span: Span) -> None:
        """Make room for a span's positions. The slot keeps its keys and values."""
        layers = self._slots.get(span.slot)
        capacity = 0 if layers is None else layers[-1].shape[3]  # the last layer to grow
        if span.end <= capacity:
            return
        room = pages_of(span.end) * PAGE
        shape = (2, span.num_rows, self._num_heads, room, self._head_dim)
        if layers is None:
            layers = [self._empty(shape) for _ in range(self._num_layers)]
            self._slots[span.slot] = layers
            return
        for index, old in enumerate(layers):
            if old.shape[3] == room:  # it has grown before a call that ran short of memory
                continue
            layers[index] = self._empty(shape)
            layers[index][:, :, :, :capacity] = old

    def release(self, slot: int) -> None:
        """The slot of a sequence that never ran holds nothing."""
        self._slots.pop(slot, None)

    def begin(self, slot: int, num_rows: int, prefix: Prefix) -> None:
        """The sequence of an empty slot begins with a kept prefix."""
        self.reserve(Span(slot, 0, num_rows, 0, prefix.num_positions))
        for own, kept in zip(self._slots[slot], self._prefixes[prefix], strict=True):
            own[:, :, :, : prefix.num_positions] = kept

    def keep(self, slot: int, prefix: Prefix) -> None:
        """The slot's sequence has computed the prefix: keep it for other sequences."""
        self._prefixes[prefix] = [
            layer[:, :1, :, : prefix.num_positions].clone() for layer in self._slots[slot]
        ]

    def forget(self, prefix: Prefix) -> None:
        """A prefix that was never computed holds nothing."""
        self._prefixes.pop(prefix, None)

    def attention(self, spans: Sequence[Span]) -> "SpanAttention":
        for span in spans:
            self.reserve(span)
        return SpanAttention([(span, self._slots[span.slot]) for span in spans])

    def _empty(self, shape: tuple[int, ...]) -> Tensor:
        return torch.empty(shape, device=self._device, dtype=self._dtype)


class SpanAttention:
    """The plain path: sequence by sequence, over views of its own keys and values."""

    def __init__(self, spans: list[tuple[Span, list[Tensor]]]) -> None:
        self._spans = [(span, layers, _mask(span, layers[0].device)) for span, layers in spans]

    def __call__(self, layer: int, qkv: Tensor) -> Tensor:
        num_heads, head_dim = qkv.shape[2:]
        out = qkv.new_empty(len(qkv), num_heads * head_dim)
        for span, layers, mask in self._spans:
            rows = (span.num_rows, span.num_tokens, 3, num_heads, head_dim)
            own = qkv[span.flat].view(rows).permute(2, 0, 3, 1, 4)  # 3, rows, heads, tokens, dim
            keys, values = cached = layers[layer][:, :, :, : span.end]
            cached[:, :, :, span.start :] = own[1:]
            attended = F.scaled_dot_product_attention(own[0], keys, values, attn_mask=mask)
            out[span.flat] = attended.transpose(1, 2).reshape(-1, num_heads * head_dim)
        return out


def _mask(span: Span, device: torch.device) -> Tensor | None:
    """Each token sees its own position and those before it. A single token needs no mask."""
    if span.num_tokens == 1:
        return None
    visible = torch.ones(span.num_tokens, span.end, dtype=torch.bool, device=device)
    return visible.tril(diagonal=span.start)
