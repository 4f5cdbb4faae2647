"""Attention over the keys and values of a dense cache, sequence by sequence.

Sequences that share a prefix in place attend to it one after another: its keys and values are read
from memory once for all of them. In int8, attention is what a step of full-size turbo spends most
on: a quarter of the time with one sequence, 45 % with eight (profiles of 2026-11-30). Knows nothing
about memory or scheduling.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
import torch.nn.functional as F
from torch import Tensor

Layers = list[Tensor]  # (2, rows, heads, positions, head_dim): keys and values


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


@dataclass(slots=True)
class Slot:
    """The keys and values of one sequence: a shared prefix, then its own."""

    layers: Layers = field(default_factory=list)  # empty, or with room for more than is reserved
    num_reserved: int = 0  # positions of its own
    prefix: Layers = field(default_factory=list)  # of one row; empty where nothing is shared
    kept: Layers = field(default_factory=list)  # a copy of its beginning, which may replace it

    @property
    def num_prefix(self) -> int:
        return self.prefix[0].shape[3] if self.prefix else 0


class SpanAttention:
    """The plain path, over views of each sequence's keys and values."""

    def __init__(self, places: Sequence[tuple[Span, Slot]]) -> None:
        """Every span is reserved in its slot."""
        shared: dict[int, list[tuple[Span, Slot]]] = {}
        self._alone = []
        for span, slot in places:
            if slot.prefix and span.num_tokens == 1:
                shared.setdefault(id(slot.prefix), []).append((span, slot))
            else:
                self._alone.append((span, slot, _mask(span, slot.layers[0].device)))
        self._shared = [_Sharers(places) for places in shared.values()]

    def __call__(self, layer: int, qkv: Tensor) -> Tensor:
        num_heads, head_dim = qkv.shape[2:]
        out = qkv.new_empty(len(qkv), num_heads * head_dim)
        for span, slot, mask in self._alone:
            rows = (span.num_rows, span.num_tokens, 3, num_heads, head_dim)
            own = qkv[span.flat].view(rows).permute(2, 0, 3, 1, 4)  # 3, rows, heads, tokens, dim
            start = span.start - slot.num_prefix
            cached = slot.layers[layer][:, :, :, : start + span.num_tokens]
            cached[:, :, :, start:] = own[1:]
            if slot.prefix:
                cached = torch.cat((slot.prefix[layer], cached), 3)
            attended = F.scaled_dot_product_attention(own[0], cached[0], cached[1], mask)
            out[span.flat] = attended.transpose(1, 2).reshape(-1, num_heads * head_dim)
        for sharers in self._shared:
            sharers.attend(layer, qkv, out)
        return out


class _Sharers:
    """Sequences of one row that share a prefix, at their next token.

    Each is computed by itself, so the others change no bit of it; in int8 a bit would be enough to
    change a token. The prefix is in the processor's cache after the first. One product for eight
    takes two thirds of the time of eight products, and gives other bits than the product for one.
    """

    def __init__(self, places: Sequence[tuple[Span, Slot]]) -> None:
        self._prefix = places[0][1].prefix
        self._own = [(slot.layers, span.end - slot.num_prefix) for span, slot in places]
        self._rows = torch.tensor([span.first for span, _ in places])
        self._scale = self._prefix[0].shape[-1] ** -0.5

    def attend(self, layer: int, qkv: Tensor, out: Tensor) -> None:
        """Writes the sequences' rows of `out`."""
        keys, values = self._prefix[layer][:, 0]
        num_prefix = keys.shape[1]
        own = qkv[self._rows]
        queries = (own[:, 0] * self._scale)[:, :, None]  # sequences, heads, 1, dim
        attended = []
        for row, query, (layers, end) in zip(own, queries, self._own, strict=True):
            cached = layers[layer][:, 0, :, :end]
            cached[:, :, -1] = row[1:]
            own_keys, own_values = cached.unbind()
            scores = (torch.bmm(query, keys.mT), torch.bmm(query, own_keys.mT))
            weights = torch.cat(scores, -1).softmax(-1)
            line = torch.bmm(weights[:, :, :num_prefix], values)
            attended.append(line.baddbmm_(weights[:, :, num_prefix:], own_values))
        out[self._rows] = torch.cat(attended, 1).transpose(0, 1).flatten(1)


def _mask(span: Span, device: torch.device) -> Tensor | None:
    """Each token sees its own position and those before it. A single token needs no mask."""
    if span.num_tokens == 1:
        return None
    visible = torch.ones(span.num_tokens, span.end, dtype=torch.bool, device=device)
    return visible.tril(diagonal=span.start)
