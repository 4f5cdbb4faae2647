"""How far each sequence has come in its text, read from the attention of a few heads.

The text that T3 reads stands in its context. While T3 draws a speech token, an alignment head looks
at the text id that the token says. A path through the ids follows the head: with each token it
stays, or goes on by at most MAX_ADVANCE ids. It begins before the text: a head that looks at no id
in particular tells of silence. The best path so far ends at the id that is being said. Nothing of a
later token is needed, so a word is known before its sound exists. The tokens do not depend on any
of this. This is the plain way, on the host; device_paths.py is the way inside a captured step.
Knows nothing about words.
"""

import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from app.engine.t3.alignment_heads import Head
from app.engine.t3.backbone import Attention
from app.engine.t3.scheduled_chunk import ScheduledChunk

MAX_ADVANCE = 3  # text ids that one token may go on by
BEFORE_TEXT = -1  # the path has not reached the text
# Of the attention to the text. An id that has more is being said. Measured 2026-11-30 on 60
# utterances of `embedded`: first words begin 60 ms early with 0.15 or 0.2, as all others do; 180 ms
# without the state before the text.
SILENCE = math.log(0.2)
NEVER = -float("inf")

Floats = NDArray[np.float32]


class HeardHeads:
    """An attention that also keeps the queries and keys of some heads: one entry per head of
    `heard`, each (N, 2, head_dim)."""

    def __init__(self, attend: Attention, heads: Sequence[Head]) -> None:
        self._attend = attend
        self._heads = heads
        self.heard: list[Tensor] = []

    def __call__(self, layer: int, qkv: Tensor) -> Tensor:
        for head in self._heads:
            if head.layer == layer:
                self.heard.append(qkv[:, :2, head.head])
        return self._attend(layer, qkv)


class TextKeys(NamedTuple):
    """Text ids in a chunk of a prompt."""

    rows: slice  # their places among the heard tokens of the conditional row
    ids: slice  # their numbers in the text


def text_keys_of(chunk: ScheduledChunk, first_row: int) -> TextKeys | None:
    """The chunk's conditional row begins with token `first_row` of those that are heard. None: the
    chunk has no text."""
    sequence = chunk.sequence
    text = range(sequence.text_start, sequence.text_start + sequence.num_text)
    start = max(chunk.start, text.start)
    end = min(chunk.start + chunk.num_tokens, text.stop)
    if start >= end:
        return None
    rows = slice(first_row + start - chunk.start, first_row + end - chunk.start)
    return TextKeys(rows, slice(start - text.start, end - text.start))


class TextPaths:
    """Of all slots. `heads` are in the order of their layers."""

    def __init__(self, heads: Sequence[Head], head_dim: int) -> None:
        self._heads = heads
        self._head_dim = head_dim
        self._keys: dict[int, Floats] = {}  # by slot: (heads, text ids, head_dim), scaled
        # By slot: of the best path to each state, the sum of the logarithms of its states' shares.
        # No path comes from the first MAX_ADVANCE columns; the next is the state before the text.
        self._scores: dict[int, Floats] = {}

    def hear(self, attend: Attention) -> HeardHeads:
        return HeardHeads(attend, self._heads)

    def keep_keys(self, heard: HeardHeads, chunk: ScheduledChunk, first_row: int) -> None:
        """Of a chunk of a prompt. As `text_keys_of`."""
        part = text_keys_of(chunk, first_row)
        if part is None:
            return
        num_text = chunk.sequence.num_text
        if part.ids.start == 0:
            shape = (len(self._heads), num_text, self._head_dim)
            self._keys[chunk.slot] = np.zeros(shape, np.float32)
            self._scores[chunk.slot] = np.full(MAX_ADVANCE + 1 + num_text, NEVER, np.float32)
            self._scores[chunk.slot][MAX_ADVANCE] = 0.0
        for own, tokens in zip(self._keys[chunk.slot], heard.heard, strict=True):
            own[part.ids] = _on_host(tokens[part.rows, 1]) * self._head_dim**-0.5

    def release(self, slot: int) -> None:
        self._keys.pop(slot, None)
        self._scores.pop(slot, None)

    def follow(self, heard: HeardHeads, slots: Sequence[int], rows: Sequence[int]) -> list[int]:
        """The text id that the next token of each slot's sequence says, by its number, or
        BEFORE_TEXT. rows: the place of its conditional row among the heard tokens."""
        width = max(self._keys[slot].shape[1] for slot in slots)
        before = np.full((len(slots), MAX_ADVANCE + 1 + width), NEVER, np.float32)
        for own, slot in zip(before, slots, strict=True):
            own[: len(self._scores[slot])] = self._scores[slot]
        score = farthest(before)
        with np.errstate(invalid="ignore"):  # logits that are not finite end the sequence
            for logits in self._logits(heard, slots, rows, width):
                total = np.logaddexp.reduce(logits, axis=1)
                score[:, 1:] += (logits - total[:, None]) / len(self._heads)
        score[:, 0] += SILENCE
        for own, slot in zip(score, slots, strict=True):
            kept = self._scores[slot]
            kept[MAX_ADVANCE:] = own[: len(kept) - MAX_ADVANCE]
        ends: list[int] = score.argmax(1).tolist()
        return [end + BEFORE_TEXT for end in ends]

    def _logits(
        self, heard: HeardHeads, slots: Sequence[int], rows: Sequence[int], width: int
    ) -> Iterator[Floats]:
        """(S, width) of each head; NEVER behind the text."""
        for number, tokens in enumerate(heard.heard):
            logits = np.full((len(slots), width), NEVER, np.float32)
            queries = _on_host(tokens)[rows, 0]
            for own, slot, query in zip(logits, slots, queries, strict=True):
                keys = self._keys[slot][number]
                np.dot(keys, query, out=own[: len(keys)])
            yield logits


def farthest(before: Floats) -> Floats:
    """The best score from which a path reaches each state. before: (..., MAX_ADVANCE + states)."""
    score = before[..., MAX_ADVANCE:].copy()
    for back in range(1, MAX_ADVANCE + 1):
        np.maximum(score, before[..., MAX_ADVANCE - back : -back], out=score)
    return score


def _on_host(tokens: Tensor) -> Floats:
    array: Floats = tokens.float().cpu().numpy()
    return array
