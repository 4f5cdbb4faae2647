"""What earlier frames left in the layers of the flow's networks.

Causal convolutions and attentions look back at earlier frames. They ask a `LayerCache` for them.
`EmptyCache` has none: the plain path, where a call computes the whole context. `FilledCache` has
what earlier calls left, so that no frame is computed twice: the plain path plus this one idea.
Layers ask in the order of the network, which is the same in every call. Knows nothing about the
networks.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, Self

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.nn import Conv1d

from app.engine.device.transfer import upload


class LayerCache(Protocol):
    num_keys: int  # positions before the call's own

    def before(self, x: Tensor, count: int) -> Tensor:
        """x: (rows, channels, N) -> (rows, channels, count): the positions that precede x."""
        ...

    def attend(self, query: Tensor, key: Tensor, value: Tensor, bias: Tensor | None) -> Tensor:
        """Inputs and result are (rows, heads, N, head_dim). bias: (rows, heads, N, num_keys + N),
        added to the scaled scores."""
        ...


def causal(conv: Conv1d, x: Tensor, cache: LayerCache) -> Tensor:
    """(rows, in, N) -> (rows, out, N): a convolution that looks back only."""
    (reach,) = conv.kernel_size
    return F.conv1d(torch.cat([cache.before(x, reach - 1), x], 2), conv.weight, conv.bias)


class EmptyCache:
    """Zeros precede the call's own frames. `mask` (rows, N) is true where a row has a frame; None:
    everywhere."""

    num_keys = 0

    def __init__(self, mask: Tensor | None = None) -> None:
        self._mask = None if mask is None else mask[:, None, None]

    def before(self, x: Tensor, count: int) -> Tensor:
        return x.new_zeros(1, 1, 1).expand(*x.shape[:2], count)

    def attend(self, query: Tensor, key: Tensor, value: Tensor, bias: Tensor | None) -> Tensor:
        return _attention(query, key, value, bias, self._mask)


@dataclass(frozen=True, slots=True)
class CachedRow:
    """What a call leaves of one row in one network."""

    keys: Tensor  # (attentions, 2, heads, positions, head_dim): keys and values
    tails: Tensor  # (values,): the last inputs of each convolution, one after another

    @classmethod
    def empty(cls, shape: tuple[int, int, int], num_values: int, like: Tensor) -> Self:
        """shape: attentions, heads, head_dim. Zeros precede the first frame of a convolution."""
        num_attentions, num_heads, head_dim = shape
        keys = like.new_zeros(num_attentions, 2, num_heads, 0, head_dim)
        return cls(keys, like.new_zeros(num_values))

    @property
    def num_bytes(self) -> int:
        return self.keys.nbytes + self.tails.nbytes


class FilledCache:
    """Continues the rows of earlier calls, once through one network.

    The keys of a row are consecutive. They end where the row's own new keys are written. On CUDA
    they are laid out for all attentions at once, in few large copies. On a CPU they are laid out
    for one attention after the other in the same small memory, which stays in the processor's cache
    (a voice of 3 s has 70 MB of keys). Both ways give the same numbers.
    """

    def __init__(
        self,
        rows: Sequence[Sequence[CachedRow]],
        num_new: Sequence[int],
        max_kept: int,
        at_once: bool | None = None,
    ) -> None:
        """rows: the parts of each row in order, the voice's and, once there is one, the segment's.
        The convolutions continue the last part. num_new: each row's own positions. max_kept: of a
        segment's positions, in `new_rows`. at_once: None means on CUDA alone."""
        num_cached = [sum(part.keys.shape[3] for part in row) for row in rows]
        first = rows[0][0].keys
        self.num_keys = max(num_cached)
        self._rows = rows
        self._at_once = first.is_cuda if at_once is None else at_once
        self._starts = [self.num_keys - count for count in num_cached]
        num_attentions, two, heads, _, head_dim = first.shape
        longest = self.num_keys + max(num_new)
        num_laid_out = num_attentions if self._at_once else 1
        self._keys = first.new_empty(len(rows), num_laid_out, two, heads, longest, head_dim)
        for keys, start in zip(self._keys, self._starts, strict=True):
            keys[..., :start, :] = 0  # masked, but fresh memory might hold NaN
        if self._at_once:
            self._lay_out(slice(None))
        self._kept = [
            slice(
                max(start + row[0].keys.shape[3], self.num_keys + new - max_kept),
                self.num_keys + new,
            )
            for start, row, new in zip(self._starts, rows, num_new, strict=True)
        ]
        self._new_keys = [
            first.new_empty(num_attentions, two, heads, kept.stop - kept.start, head_dim)
            for kept in self._kept
        ]
        lengths = upload(num_new, torch.int64, first.device)
        self._lengths = lengths[:, None, None]
        self._tails = torch.stack([row[-1].tails for row in rows])
        self._mask = None
        if len({*num_cached}) > 1 or len({*num_new}) > 1:
            index = torch.arange(longest, device=first.device)
            starts = upload(self._starts, torch.int64, first.device)[:, None]
            visible = (index >= starts) & (index < self.num_keys + lengths[:, None])
            self._mask = visible[:, None, None]
        self._num_attentions = 0  # that have asked so far
        self._num_values = 0
        self._new_tails: list[Tensor] = []

    def before(self, x: Tensor, count: int) -> Tensor:
        rows, channels, _ = x.shape
        first, self._num_values = self._num_values, self._num_values + channels * count
        before = self._tails[:, first : self._num_values].view(rows, channels, count)
        index = self._lengths + torch.arange(count, device=x.device)
        ends = torch.cat([before, x], 2).gather(2, index.expand(-1, channels, -1))
        self._new_tails.append(ends.flatten(1))
        return before

    def attend(self, query: Tensor, key: Tensor, value: Tensor, bias: Tensor | None) -> Tensor:
        attention, self._num_attentions = self._num_attentions, self._num_attentions + 1
        if not self._at_once:
            self._lay_out(slice(attention, attention + 1))
        keys = self._keys[:, attention if self._at_once else 0]
        keys[:, 0, :, self.num_keys :] = key
        keys[:, 1, :, self.num_keys :] = value
        if not self._at_once:
            self._keep(slice(attention, attention + 1))
        return _attention(query, keys[:, 0], keys[:, 1], bias, self._mask)

    def new_rows(self) -> list[CachedRow]:
        """Per row, after the pass: the last `max_kept` positions of the segment. The voice's
        positions stay with the voice."""
        if self._at_once:
            self._keep(slice(None))
        tails = torch.cat(self._new_tails, 1)
        return [
            CachedRow(keys, row.clone()) for keys, row in zip(self._new_keys, tails, strict=True)
        ]

    def _lay_out(self, attentions: slice) -> None:
        """Copy the cached keys of these attentions before the place of the new ones."""
        for keys, row, first in zip(self._keys, self._rows, self._starts, strict=True):
            end = first
            for part in row:
                start, end = end, end + part.keys.shape[3]
                keys[..., start:end, :] = part.keys[attentions]

    def _keep(self, attentions: slice) -> None:
        for keys, new_keys, kept in zip(self._keys, self._new_keys, self._kept, strict=True):
            new_keys[attentions] = keys[..., kept, :]


def _attention(
    query: Tensor, key: Tensor, value: Tensor, bias: Tensor | None, mask: Tensor | None
) -> Tensor:
    if bias is not None and mask is not None:
        bias = bias.masked_fill(~mask, -float("inf"))
    return F.scaled_dot_product_attention(
        query, key, value, attn_mask=mask if bias is None else bias
    )
