"""A text in which every character knows where in the caller's text it came from.

Rewriting a text (markup, spoken forms, pronunciations) keeps these positions. Pure; knows nothing
about what is rewritten, or why.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


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
        parts: list[SpannedText] = []
        at = last = 0
        for each in replacements:
            if not last <= each.start <= each.end <= len(self):
                raise ValueError(f"a replacement is out of order, or overlaps another: {each}")
            last = each.end
            if not self._is_free(each.start, each.end):
                continue
            parts.append(self[at : each.start])
            if each.say:
                parts.append(self._said(each))
            at = each.end
        return SpannedText.joined([*parts, self[at:]]) if parts else self

    def _said(self, new: Replacement) -> "SpannedText":
        span = self.span(new.start, new.end)
        shape = len(new.say)
        return SpannedText(
            new.say,
            np.full(shape, span.start, np.int32),
            np.full(shape, span.end, np.int32),
            np.full(shape, new.is_final, np.bool_),
        )

    def _is_free(self, start: int, end: int) -> bool:
        """An insertion may stand beside a final character, but not between two."""
        if start == end:
            return not (0 < start < len(self) and self.finals[start - 1 : start + 1].all())
        return not self.finals[start:end].any()
