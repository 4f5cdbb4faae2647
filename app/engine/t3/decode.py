"""One token for every decoding row, as a function of fixed shape over buffers that stay in place.

A step's rows are padded to a bucket, and its context to a bucket of pages. The host describes a row
(lane, position, noise, settings) before it has seen the row's last token: the device remembers the
last token of each slot and feeds it. So no step waits until the one before it is read, and one
captured graph serves any mix of sequences. Both rows of a CFG pair sample the same token. Knows
nothing about scheduling or capture.
"""

from collections.abc import Callable, Sequence
from itertools import takewhile
from typing import NamedTuple

import torch
from torch import Tensor

from app.core import SamplingParams
from app.engine.device.cuda_graphs import powers_of_two
from app.engine.device.transfer import upload
from app.engine.t3.device_paths import DevicePaths, Followed
from app.engine.t3.kv_budget import PAGE, pages_of
from app.engine.t3.model import T3Model
from app.engine.t3.paged_kv_cache import PagedKVCache
from app.engine.t3.sampler import (
    NUM_FLOATS,
    NUM_INTS,
    Sampler,
    SamplingBatch,
    SamplingRow,
    needs_sort,
    pack,
)

NUM_OWN_INTS = 5  # of a row, before those of its sampling
Draw = Callable[[Tensor, Tensor, int], Tensor]  # as noise.exponential


class Row(NamedTuple):
    """One row of a sequence's next token."""

    lane: int
    position: int  # of the token that is fed
    noise: int  # start of its stream of noise
    sampling: SamplingRow
    num_text: int = 1  # text ids of its sequence


class Shape(NamedTuple):
    """A step's kernels depend on these values alone."""

    num_rows: int
    num_pages: int
    sorts: bool  # a row needs top_k or top_p


def page_buckets(most: int) -> tuple[int, ...]:
    """8, 12, 16, 24, 32, 48, … and `most`."""
    finer = (base << power for power in range(most.bit_length()) for base in (8, 12))
    return (*takewhile(lambda bucket: bucket < most, finer), most)


class DecodeStep:
    def __init__(
        self,
        model: T3Model,
        kv_cache: PagedKVCache,
        num_slots: int,
        draw: Draw,
        paths: DevicePaths | None = None,
    ) -> None:
        """`paths`: None where the model has no alignment heads."""
        self._model = model
        self._kv_cache = kv_cache
        self._paths = paths
        self._draw = draw
        self._sampler = Sampler(model.spec, num_slots + 1, model.device)
        self._row_buckets = powers_of_two(kv_cache.num_lanes)
        self._page_buckets = page_buckets(kv_cache.max_pages)
        padding = SamplingRow(num_slots, SamplingParams(), step=1, cond=0, uncond=0)
        self._padding = Row(kv_cache.num_lanes, 0, 0, padding)

        def buffer(*shape: int, dtype: torch.dtype = torch.int64) -> Tensor:
            return torch.zeros(shape, dtype=dtype, device=model.device)

        num_rows = self._row_buckets[-1]
        # Lane, position, noise, step, text ids, then what `pack` gives.
        self._ints = buffer(num_rows, NUM_OWN_INTS + NUM_INTS)
        self._floats = buffer(num_rows, NUM_FLOATS, dtype=torch.float32)
        self._drawn = buffer(num_rows, 2)  # the token, and the text id that it says
        self._fed = buffer(num_slots + 1)  # by slot: its last token

    def shape_of(self, rows: Sequence[Row]) -> Shape:
        num_pages = pages_of(1 + max(row.position for row in rows))
        vocab = self._model.spec.speech_vocab
        return Shape(
            next(bucket for bucket in self._row_buckets if bucket >= len(rows)),
            next(bucket for bucket in self._page_buckets if bucket >= num_pages),
            any(needs_sort(row.sampling.sampling, vocab) for row in rows),
        )

    def usual_shapes(self) -> list[Shape]:
        """Every number of rows, in contexts of up to 1,024 positions, with the model's defaults."""
        sorts = self._model.spec.backbone == "gpt2"
        contexts = [bucket for bucket in self._page_buckets if bucket <= 1024 // PAGE]
        return [Shape(rows, pages, sorts) for rows in self._row_buckets for pages in contexts]

    def load(self, rows: Sequence[Row], shape: Shape) -> None:
        """Write the rows, then padding, into the buffers that `compute` reads."""
        padded = [*rows, *[self._padding] * (shape.num_rows - len(rows))]
        ints, floats = pack([row.sampling for row in padded], self._model.spec.speech_vocab)
        lines = [
            [row.lane, row.position, row.noise, row.sampling.step, row.num_text, *settings]
            for row, settings in zip(padded, ints, strict=True)
        ]
        device = self._model.device
        self._ints[: shape.num_rows].copy_(upload(lines, torch.int64, device))
        self._floats[: shape.num_rows].copy_(upload(floats, torch.float32, device))

    def compute(self, shape: Shape) -> None:
        """Reads and writes tensors that never move. Its kernels depend on `shape` alone."""
        ints, floats = self._ints[: shape.num_rows], self._floats[: shape.num_rows]
        lane, position, noise, step, num_text = ints[:, :NUM_OWN_INTS].unbind(1)
        packed = ints[:, NUM_OWN_INTS:]
        batch = SamplingBatch.unpack(packed, floats, any_min_p=True, any_sort=shape.sorts)
        hidden = self._model.embed_speech(self._fed[batch.slots], step - 1)
        attend = self._kv_cache.attention(lane, position[:, None], shape.num_pages)
        heard = None if self._paths is None else self._paths.hear(attend)
        every = torch.arange(shape.num_rows, device=lane.device)
        logits = self._model.forward(hidden, position, every, heard or attend)
        noises = self._draw(noise, step, self._model.spec.speech_vocab)
        drawn = self._drawn[: shape.num_rows]
        drawn[:, 0] = self._sample(logits, batch, noises)
        if self._paths is not None and heard is not None:
            width = shape.num_pages * PAGE
            sequences = Followed(batch.cond, batch.slots, step, num_text)
            drawn[:, 1] = self._paths.follow(heard, sequences, width)

    def restore(self, slot: int, tokens: Sequence[int]) -> None:
        """Set a slot's state back to the moment after these tokens."""
        self._sampler.restore(slot, tokens)
        self._fed[slot] = tokens[-1] if tokens else 0

    def drawn(self, shape: Shape) -> Tensor:
        """(num_rows, 2): tokens, -1 where the logits made no distribution, and the text ids that
        they say. The next step overwrites them."""
        return self._drawn[: shape.num_rows]

    def sample_first(self, logits: Tensor, rows: Sequence[Row]) -> Tensor:
        """(R,) tokens after prompts. logits: (R, vocab), for any number of rows."""
        vocab, device = self._model.spec.speech_vocab, logits.device
        ints, floats = pack([row.sampling for row in rows], vocab)
        batch = SamplingBatch.unpack(
            upload(ints, torch.int64, device),
            upload(floats, torch.float32, device),
            any_min_p=True,
            any_sort=any(needs_sort(row.sampling.sampling, vocab) for row in rows),
        )
        draws = [[row.noise, row.sampling.step] for row in rows]
        noise, step = upload(draws, torch.int64, device).unbind(1)
        return self._sample(logits, batch, self._draw(noise, step, vocab))

    def _sample(self, logits: Tensor, batch: SamplingBatch, drawn: Tensor) -> Tensor:
        tokens = self._sampler.sample(logits, batch, drawn)
        self._fed[batch.slots] = tokens.clamp(min=0)  # a failed sequence is fed once more
        return tokens
