"""A text in which every character knows where in the caller's text it came from.

Rewriting a text (markup, spoken forms, pronunciations) keeps these positions. Pure; knows nothing
about what is rewritten, or why.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

Value = TypeVar("Value", np.int32, np.bool_)


class Span(NamedTuple):
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Replacement:
    """`text[start:end]` is said as `say`. An empty `say` removes the characters."""

    start: int
    end: int
    say: str
    is_final: bool = False  # later replacements leave the new characters alone
    dropped: str | None = None  # why the characters are left out, where the caller is told


@dataclass(frozen=True, slots=True, eq=False)
class SpannedText:
    """Immutable. Character i came from `starts[i]:ends[i]` of the caller's text. Neither ever
    falls from one character to the next."""

    text: str
    starts: NDArray[np.int32]
    ends: NDArray[np.int32]
    finals: NDArray[np.bool_]  # characters that no replacement may touch

    @classmethod
    def of(cls, text: str) -> "SpannedText":
        """The caller's own text."""
        starts = np.arange(len(text), dtype=np.int32)
        return cls(text, starts, starts + 1, np.zeros(len(text), np.bool_))

    @classmethod
    def joined(cls, parts: Sequence["SpannedText"]) -> "SpannedText":
        if not parts:
            return cls.of("")
        return cls(
            "".join(part.text for part in parts),
            np.concatenate([part.starts for part in parts]),
            np.concatenate([part.ends for part in parts]),
            np.concatenate([part.finals for part in parts]),
        )

    def __len__(self) -> int:
        return len(self.text)

    def __getitem__(self, part: slice) -> "SpannedText":
        """A slice without a step."""
        return SpannedText(self.text[part], self.starts[part], self.ends[part], self.finals[part])

    def unlocked(self) -> "SpannedText":
        """The same with no final characters."""
        return SpannedText(self.text, self.starts, self.ends, np.zeros_like(self.finals))

    def span(self, start: int, end: int) -> Span:
        """Where the characters start..end came from. An empty range lies behind the character
        before it."""
        if start < end:
            return Span(int(self.starts[start]), int(self.ends[end - 1]))
        before = int(self.ends[start - 1]) if start else 0
        after = int(self.starts[start]) if start < len(self) else before
        return Span(min(before, after), before) if start else Span(after, after)

    def replaced(self, replacements: Iterable[Replacement]) -> "SpannedText":
        """Each new character came from all of its replacement's span. A replacement that touches a
        final character is dropped. Raises ValueError unless they are in order without overlap."""
        pieces: list[str] = []
        lengths: list[int] = []  # of the pieces
        froms: list[int] = []  # where each piece begins in this text, or stands for a new one
        new: list[tuple[Span, bool]] = []  # place and finality of every second piece
        at = last = 0
        for each in replacements:
            if not last <= each.start <= each.end <= len(self):
                raise ValueError(f"a replacement is out of order, or overlaps another: {each}")
            last = each.end
            if self._is_free(each.start, each.end):
                pieces += (self.text[at : each.start], each.say)
                lengths += (each.start - at, len(each.say))
                froms += (at, each.start)
                new.append((self.span(each.start, each.end), each.is_final))
                at = each.end
        if not new:
            return self
        return self._assembled(
            [*pieces, self.text[at:]], [*lengths, len(self) - at], [*froms, at], new
        )

    def _assembled(
        self, pieces: list[str], lengths: list[int], froms: list[int], new: list[tuple[Span, bool]]
    ) -> "SpannedText":
        """Of kept and new pieces in turn. One step for all pieces: a text may have hundreds."""
        ends = np.cumsum(lengths)
        of_piece = np.repeat(np.arange(len(pieces)), lengths)
        is_new = of_piece % 2 == 1
        old = np.arange(ends[-1]) - (ends - lengths)[of_piece] + np.array(froms)[of_piece]
        starts, stops, finals = zip(*((*span, is_final) for span, is_final in new), strict=True)
        return SpannedText(
            "".join(pieces),
            _mixed(self.starts, old, np.array(starts, np.int32), of_piece // 2, is_new),
            _mixed(self.ends, old, np.array(stops, np.int32), of_piece // 2, is_new),
            _mixed(self.finals, old, np.array(finals, np.bool_), of_piece // 2, is_new),
        )

    def _is_free(self, start: int, end: int) -> bool:
        """An insertion may stand beside a final character, but not between two."""
        if start == end:
            return not (0 < start < len(self) and self.finals[start - 1 : start + 1].all())
        return not self.finals[start:end].any()


def _mixed(
    kept: NDArray[Value],
    old: NDArray[np.intp],
    new: NDArray[Value],
    of_new: NDArray[np.intp],
    is_new: NDArray[np.bool_],
) -> NDArray[Value]:
    """`new[of_new]` where `is_new`, else `kept[old]`."""
    found = np.empty(len(old), kept.dtype)
    found[is_new] = new[of_new[is_new]]
    found[~is_new] = kept[old[~is_new]]
    return found
