"""The attention heads of a T3 that walk along the text while it is spoken.

Runs without torch. Knows nothing about how such heads are found.
"""

from dataclasses import dataclass
from typing import NamedTuple

from app.core import TOKENS_PER_S

MS_PER_TOKEN = 1000 / TOKENS_PER_S


class Head(NamedTuple):
    layer: int
    head: int


@dataclass(frozen=True, slots=True)
class AlignmentHeads:
    """`heads` are in the order of their layers; a model without such heads has none. A head looks
    at a text id some time before the id sounds: `offset_ms`."""

    heads: tuple[Head, ...] = ()
    offset_ms: float = 0.0
    score: float | None = None  # mean attention on the best head's path; None: configured by hand
    took_s: float | None = None  # to find them

    @property
    def offset_tokens(self) -> float:
        return self.offset_ms / MS_PER_TOKEN


NO_HEADS = AlignmentHeads()
