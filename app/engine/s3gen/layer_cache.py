"""What a piece of the flow's networks hears of the frames before its own.

Every layer that looks back, a causal convolution or an attention, asks a `Past` for what it needs.
`EmptyCache` has nothing before: the plain path, a whole context in one call. `FilledCache` holds what
earlier calls left behind, so that no frame is computed twice: the plain path plus this one idea.
Layers ask in the order of the network, the same in every call. Knows nothing about the networks.
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
        """x: (rows, channels, N) -> (rows, channels, count): what precedes it."""
        ...

    def attend(self, query: Tensor, key: Tensor, value: Tensor, bias: Tensor | None) -> Tensor:
        """Each (rows, heads, N, head_dim), so is the result; bias: (rows, heads, N, num_keys + N)
        is added to the scaled scores."""
        ...


def causal(conv: Conv1d, x: Tensor, past: LayerCache) -> Tensor:
    """(rows, in, N) -> (rows, out, N): a convolution that looks back."""
    (reach,) = conv.kernel_size
    return F.conv1d(torch.cat([past.before(x, reach - 1), x], 2), conv.weight, conv.bias)


class EmptyCache:
    """Silence before, and all of the call's own frames are heard; `mask` (rows, N) is true where
    a row has some, None: everywhere."""

    num_keys = 0

    def __init__(self, mask: Tensor | None = None) -> None:
        self._mask = None if mask is None else mask[:, None, None]

    def before(self, x: Tensor, count: int) -> Tensor:
        return x.new_zeros(1, 1, 1).expand(*x.shape[:2], count)

    def attend(self, query: Tensor, key: Tensor, value: Tensor, bias: Tensor | None) -> Tensor:
        return _attention(query, key, value, bias, self._mask)


@dataclass(frozen=True, slots=True)
class CachedRow:
    """What a call leaves behind of one row in one network."""

    keys: Tensor  # (attentions, 2, heads, positions, head_dim): keys and values
    tails: Tensor  # (values,): the ends of what the convolutions saw, one after another

    @classmethod
    def nothing(cls, shape: tuple[int, int, int], num_values: int, like: Tensor) -> Self:
        """shape: attentions, heads, head_dim. Zeros precede the first frame of a convolution."""
        num_places, num_heads, head_dim = shape
        keys = like.new_zeros(num_places, 2, num_heads, 0, head_dim)
        return cls(keys, like.new_zeros(num_values))

    @property
    def num_bytes(self) -> int:
        return self.keys.nbytes + self.tails.nbytes


class FilledCache:
    """Goes on from what the rows of a call left behind, once through one network.

    A row's keys are consecutive and end where its own new ones are written. They are laid side by
    side for all attentions at once where the device wants few large copies, and for one after the
    other, in the same small memory, where they had better stay in a CPU's cache (a voice of 3 s
    has 70 MB of them): the same numbers in either way.
    """

    def __init__(
        self,
        pasts: Sequence[Sequence[CachedRow]],
        num_new: Sequence[int],
        most: int,
        at_once: bool | None = None,
    ) -> None:
        """pasts: per row, in order, its voice's and then perhaps its segment's; the convolutions
        go on from the last. num_new: the row's own positions. most: of a segment's positions, to
        be left. at_once: None: on CUDA."""
        num_past = [sum(part.keys.shape[3] for part in row) for row in pasts]
        first = pasts[0][0].keys
        self.num_keys = max(num_past)
        self._pasts = pasts
        self._at_once = first.is_cuda if at_once is None else at_once
        self._starts = [self.num_keys - count for count in num_past]
        places, two, heads, _, head_dim = first.shape
        longest = self.num_keys + max(num_new)
        held = places if self._at_once else 1
        self._keys = first.new_empty(len(pasts), held, two, heads, longest, head_dim)
        for own, start in zip(self._keys, self._starts, strict=True):
            own[..., :start, :] = 0  # not visible, but what memory held before might be NaN
        if self._at_once:
            self._lay(slice(None))
        self._left = [
            slice(
                max(start + row[0].keys.shape[3], self.num_keys + new - most), self.num_keys + new
            )
            for start, row, new in zip(self._starts, pasts, num_new, strict=True)
        ]
        self._new_keys = [
            first.new_empty(places, two, heads, left.stop - left.start, head_dim)
            for left in self._left
        ]
        lengths = upload(num_new, torch.int64, first.device)
        self._lengths = lengths[:, None, None]
        self._tails = torch.stack([row[-1].tails for row in pasts])
        self._mask = None
        if len({*num_past}) > 1 or len({*num_new}) > 1:
            index = torch.arange(longest, device=first.device)
            starts = upload(self._starts, torch.int64, first.device)[:, None]
            visible = (index >= starts) & (index < self.num_keys + lengths[:, None])
            self._mask = visible[:, None, None]
        self._num_attentions = 0
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
        place, self._num_attentions = self._num_attentions, self._num_attentions + 1
        if not self._at_once:
            self._lay(slice(place, place + 1))
        keys = self._keys[:, place if self._at_once else 0]
        keys[:, 0, :, self.num_keys :] = key
        keys[:, 1, :, self.num_keys :] = value
        if not self._at_once:
            self._keep(slice(place, place + 1))
        return _attention(query, keys[:, 0], keys[:, 1], bias, self._mask)

    def left(self) -> list[CachedRow]:
        """Per row, after the pass: the last `most` positions but for the voice's, which stay with
        the voice."""
        if self._at_once:
            self._keep(slice(None))
        tails = torch.cat(self._new_tails, 1)
        return [
            CachedRow(keys, row.clone()) for keys, row in zip(self._new_keys, tails, strict=True)
        ]

    def _lay(self, places: slice) -> None:
        """What was before, of these attentions."""
        for own, row, first in zip(self._keys, self._pasts, self._starts, strict=True):
            end = first
            for part in row:
                start, end = end, end + part.keys.shape[3]
                own[..., start:end, :] = part.keys[places]

    def _keep(self, places: slice) -> None:
        for own, new, left in zip(self._keys, self._new_keys, self._left, strict=True):
            new[places] = own[..., left, :]


def _attention(
    query: Tensor, key: Tensor, value: Tensor, bias: Tensor | None, mask: Tensor | None
) -> Tensor:
    if bias is not None and mask is not None:
        bias = bias.masked_fill(~mask, -float("inf"))
    return F.scaled_dot_product_attention(
        query, key, value, attn_mask=mask if bias is None else bias
    )
