"""What a piece of the flow's networks hears of the frames before its own.

Every layer that looks back, a causal convolution or an attention, asks a `Past` for what it needs.
`Beginning` has nothing before: the plain path, a whole context in one call. `Carried` holds what
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

from app.engine.transfer import upload


class Past(Protocol):
    num_keys: int  # positions before the call's own

    def before(self, x: Tensor, count: int) -> Tensor:
        """x: (rows, channels, N) -> (rows, channels, count): what precedes it."""
        ...

    def attend(self, query: Tensor, key: Tensor, value: Tensor, bias: Tensor | None) -> Tensor:
        """Each (rows, heads, N, head_dim), so is the result; bias: (rows, heads, N, num_keys + N)
        is added to the scaled scores."""
        ...


def causal(conv: Conv1d, x: Tensor, past: Past) -> Tensor:
    """(rows, in, N) -> (rows, out, N): a convolution that looks back."""
    (reach,) = conv.kernel_size
    return F.conv1d(torch.cat([past.before(x, reach - 1), x], 2), conv.weight, conv.bias)


class Beginning:
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
class Remembered:
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


@dataclass(frozen=True, slots=True)
class Gathered:
    """The pasts of a call's rows, side by side. A row's keys are consecutive and end where its
    own, `num_new` of them, will be written."""

    keys: Tensor  # (rows, attentions, 2, heads, past + new, head_dim)
    tails: Tensor  # (rows, values)
    visible: Tensor | None  # (rows, past + new), None: everything
    lengths: Tensor  # (rows,) the new ones
    num_past: Sequence[int]
    num_new: Sequence[int]

    @classmethod
    def of(cls, pasts: Sequence[Sequence[Remembered]], num_new: Sequence[int]) -> Self:
        """pasts: per row, in order, e.g. a voice's and then a segment's; the convolutions go on
        from the last."""
        num_past = [sum(part.keys.shape[3] for part in row) for row in pasts]
        before, longest = max(num_past), max(num_past) + max(num_new)
        first = pasts[0][0].keys
        places, two, heads, _, head_dim = first.shape
        keys = first.new_empty(len(pasts), places, two, heads, longest, head_dim)
        for own, row, count in zip(keys, pasts, num_past, strict=True):
            start = before - count
            own[..., :start, :] = 0  # not visible, but what memory held before might be NaN
            for part in row:
                end = start + part.keys.shape[3]
                own[..., start:end, :] = part.keys
                start = end
        lengths = upload(num_new, torch.int64, first.device)
        tails = torch.stack([row[-1].tails for row in pasts])
        visible = None
        if len({*num_past}) > 1 or len({*num_new}) > 1:
            index = torch.arange(longest, device=first.device)
            start_at = before - upload(num_past, torch.int64, first.device)[:, None]
            visible = (index >= start_at) & (index < before + lengths[:, None])
        return cls(keys, tails, visible, lengths, num_past, num_new)

    def left(self, tails: Tensor, skip: Sequence[int], most: int) -> list[Remembered]:
        """Per row, after the pass: the last `most` of its positions, without the first `skip`.
        tails: what the pass left, (rows, values)."""
        before = max(self.num_past)
        rows = []
        for row, (past, new) in enumerate(zip(self.num_past, self.num_new, strict=True)):
            end = before + new
            start = max(before - past + skip[row], end - most)
            rows.append(Remembered(self.keys[row, ..., start:end, :].clone(), tails[row].clone()))
        return rows


class Carried:
    """Goes on from gathered pasts, once through one network; the new keys are written behind the
    old ones as they come."""

    def __init__(
        self, keys: Tensor, tails: Tensor, visible: Tensor | None, lengths: Tensor, num_new: int
    ) -> None:
        """As in `Gathered`; num_new: of the longest row."""
        self.num_keys = keys.shape[4] - num_new
        self._keys = keys
        self._tails = tails
        self._mask = None if visible is None else visible[:, None, None]
        self._lengths = lengths[:, None, None]
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
        keys = self._keys[:, self._num_attentions]
        self._num_attentions += 1
        keys[:, 0, :, self.num_keys :] = key
        keys[:, 1, :, self.num_keys :] = value
        return _attention(query, keys[:, 0], keys[:, 1], bias, self._mask)

    def new_tails(self) -> Tensor:
        """(rows, values), after the pass."""
        return torch.cat(self._new_tails, 1)


def _attention(
    query: Tensor, key: Tensor, value: Tensor, bias: Tensor | None, mask: Tensor | None
) -> Tensor:
    if bias is not None and mask is not None:
        bias = bias.masked_fill(~mask, -float("inf"))
    return F.scaled_dot_product_attention(
        query, key, value, attn_mask=mask if bias is None else bias
    )
