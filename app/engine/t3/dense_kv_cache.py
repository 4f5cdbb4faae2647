"""Keys and values of the running sequences.

Each slot holds one sequence: one tensor per layer, contiguous per row. Memory is reserved by whole
pages. A tensor that grows has room for a quarter more than is reserved, so it is rarely moved; the
system gives that memory when it is first written. Made for a CPU, where attention over contiguous
memory needs no gathering.

A prefix is kept once, as one row. A long one, as turbo's, is shared in place by the sequences of
one row that begin with it: none holds a copy (74 MB at full size in float32), and a step reads it
from memory once. Any other prefix is copied into the sequence, in 2 ms for english. Computing the
prefix takes 0.2 s and 1 s (two cores, torch 2.11, 2026-11). Knows nothing about scheduling.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from app.engine.t3.kv_budget import PAGE, Prefix, pages_of
from app.engine.t3.span_attention import Layers, Slot, Span, SpanAttention

SHARED_FROM = 128  # positions: attention in two parts has a few calls more


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
        self._slots: dict[int, Slot] = {}
        self._prefixes: dict[Prefix, Layers] = {}

    @property
    def num_bytes(self) -> int:
        """Reserved by slots; kept prefixes are not counted."""
        per_position = (
            2 * self._num_layers * self._num_heads * self._head_dim * self._dtype.itemsize
        )
        return PAGE * per_position * sum(map(self.pages_held, self._slots))

    @property
    def num_prefixes(self) -> int:
        return len(self._prefixes)

    def pages_held(self, slot: int) -> int:
        own = self._slots.get(slot)
        if own is None or not own.layers:
            return 0
        return pages_of(own.num_reserved, num_rows=own.layers[0].shape[1])

    def reserve(self, span: Span) -> None:
        """Make room for a span's positions. The slot keeps its keys and values."""
        slot = self._slots.setdefault(span.slot, Slot())
        if slot.kept and span.start >= slot.kept[0].shape[3]:
            self._share(slot)
        wanted = pages_of(span.end - slot.num_prefix) * PAGE
        if wanted <= slot.num_reserved:
            return
        room = slot.layers[-1].shape[3] if slot.layers else 0  # the last layer to grow
        if wanted > room:
            self._grow(slot, span.num_rows, wanted + pages_of(wanted // 4) * PAGE)
        slot.num_reserved = wanted

    def release(self, slot: int) -> None:
        """The slot of a sequence that never ran holds nothing."""
        self._slots.pop(slot, None)

    def begin(self, slot: int, num_rows: int, prefix: Prefix) -> None:
        """The sequence of an empty slot begins with a kept prefix."""
        kept = self._prefixes[prefix]
        if self._can_share(num_rows, prefix):
            self._slots[slot] = Slot(prefix=kept)
            return
        self.reserve(Span(slot, 0, num_rows, 0, prefix.num_positions))
        for own, part in zip(self._slots[slot].layers, kept, strict=True):
            own[:, :, :, : prefix.num_positions] = part

    def keep(self, slot: int, prefix: Prefix) -> None:
        """The slot's sequence has computed the prefix: keep it for other sequences."""
        own = self._slots[slot]
        kept = [layer[:, :1, :, : prefix.num_positions].clone() for layer in own.layers]
        self._prefixes[prefix] = kept
        if self._can_share(own.layers[0].shape[1], prefix):
            own.kept = kept  # and replaces the slot's own in the next step: this one may run again

    def forget(self, prefix: Prefix) -> None:
        """A prefix that was never computed holds nothing. The sequences that share it keep it."""
        self._prefixes.pop(prefix, None)

    def attention(self, spans: Sequence[Span]) -> SpanAttention:
        for span in spans:
            self.reserve(span)
        return SpanAttention([(span, self._slots[span.slot]) for span in spans])

    def _can_share(self, num_rows: int, prefix: Prefix) -> bool:
        is_exact = self._dtype is torch.float32  # scores are not rounded between the two parts
        return is_exact and num_rows == 1 and prefix.num_positions >= SHARED_FROM

    def _share(self, slot: Slot) -> None:
        """The slot's first positions are now those of the kept prefix."""
        num_prefix = slot.kept[0].shape[3]
        rest = [layer[:, :, :, num_prefix : slot.num_reserved].clone() for layer in slot.layers]
        num_rest = rest[0].shape[3]
        slot.layers = rest if num_rest else []
        slot.prefix, slot.kept, slot.num_reserved = slot.kept, [], num_rest

    def _grow(self, slot: Slot, num_rows: int, room: int) -> None:
        shape = (2, num_rows, self._num_heads, room, self._head_dim)
        if not slot.layers:
            slot.layers = [self._empty(shape) for _ in range(self._num_layers)]
            return
        filled = slot.num_reserved
        for index, old in enumerate(slot.layers):
            if old.shape[3] == room:  # it has grown before a call that ran short of memory
                continue
            slot.layers[index] = self._empty(shape)
            slot.layers[index][:, :, :, :filled] = old[:, :, :, :filled]

    def _empty(self, shape: tuple[int, ...]) -> Tensor:
        return torch.empty(shape, device=self._device, dtype=self._dtype)
