"""The plain paths plus one idea: they are tensors that never move, so a captured step follows them.

A step reads the scores of the step before from one line and writes to another: a step that runs
again finds the same scores. Shapes depend on the inputs' shapes alone, and nothing waits for the
device.
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from app.engine.t3.alignment_heads import Head
from app.engine.t3.backbone import Attention
from app.engine.t3.model import T3Model
from app.engine.t3.scheduled_chunk import ScheduledChunk
from app.engine.t3.text_paths import (
    BEFORE_TEXT,
    MAX_ADVANCE,
    NEVER,
    SILENCE,
    HeardHeads,
    text_keys_of,
)


class Followed(NamedTuple):
    """Of each sequence of a step, (S,) int64."""

    rows: Tensor  # its place among the heard tokens: its conditional row
    slots: Tensor
    steps: Tensor  # tokens that were drawn before, from 1 on
    num_text: Tensor  # ids of its text, from 1 on


class DevicePaths:
    """Of all slots, and of one more for padding. `heads` are in the order of their layers."""

    def __init__(self, heads: Sequence[Head], model: T3Model, num_slots: int) -> None:
        self._heads = heads
        self._max_text = model.spec.max_text_tokens
        head_dim = model.backbone.head_dim
        self._scale = head_dim**-0.5
        num_lines = num_slots + 1
        keys = (num_lines, len(heads), self._max_text, head_dim)
        self._keys = torch.zeros(keys, device=model.device, dtype=model.dtype)
        # Two lines for each slot, for even and for odd steps, with the columns of the plain paths.
        scores = (2 * num_lines, MAX_ADVANCE + 1 + self._max_text)
        self._scores = torch.full(scores, NEVER, device=model.device)

    def hear(self, attend: Attention) -> HeardHeads:
        return HeardHeads(attend, self._heads)

    def keep_keys(self, heard: HeardHeads, chunk: ScheduledChunk, first_row: int) -> None:
        """As TextPaths."""
        part = text_keys_of(chunk, first_row)
        if part is None:
            return
        for own, tokens in zip(self._keys[chunk.slot], heard.heard, strict=True):
            own[part.ids] = tokens[part.rows, 1] * self._scale

    def follow(self, heard: HeardHeads, sequences: Followed, width: int) -> Tensor:
        """(S,) int64, as TextPaths. No text has more than `width` ids."""
        score = self._log_share(heard, sequences, min(width, self._max_text))
        num_columns = MAX_ADVANCE + score.shape[1]
        lines, steps = 2 * sequences.slots, sequences.steps
        before = self._scores[lines + (steps - 1) % 2, :num_columns]
        best = before.unfold(1, MAX_ADVANCE + 1, 1).amax(2)
        is_first = (steps == 1)[:, None]
        columns = torch.arange(score.shape[1], device=score.device)
        score += torch.where(is_first, torch.where(columns <= MAX_ADVANCE, 0.0, NEVER), best)
        score = score.nan_to_num(nan=NEVER, neginf=NEVER)  # a slot's next owner reads them
        self._scores[lines + steps % 2, MAX_ADVANCE:num_columns] = score
        return score.argmax(1) + BEFORE_TEXT

    def _log_share(self, heard: HeardHeads, sequences: Followed, width: int) -> Tensor:
        """(S, 1 + width), as TextPaths."""
        rows = sequences.rows
        query = torch.stack([tokens[rows, 0] for tokens in heard.heard], 1)  # (S, H, dim)
        keys = self._keys[sequences.slots, :, :width]
        logits = (keys @ query[..., None]).squeeze(-1).float()
        is_behind = torch.arange(width, device=rows.device) >= sequences.num_text[:, None]
        logits = logits.masked_fill(is_behind[:, None], NEVER)
        share = logits.log_softmax(-1).mean(1)
        return F.pad(share, (1, 0), value=SILENCE)
