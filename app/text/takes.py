"""A take: a part of a text that arrives in pieces, and where its characters stand in that text.
Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from app.text.spans import Span


@dataclass(frozen=True, slots=True)
class Take:
    """`places[i]` is where character i stands in the whole text that has come. Markup that the take
    repeats stands where the take begins."""

    text: str
    places: Sequence[int]

    @classmethod
    def whole(cls, text: str) -> "Take":
        """A text that came at once."""
        return cls(text, range(len(text)))

    def span(self, start: int, end: int) -> Span:
        """Where the characters start..end stand in the whole text. An empty range lies behind the
        character before it."""
        if start < end:
            return Span(self.places[start], self.places[end - 1] + 1)
        at = self.places[start - 1] + 1 if start else next(iter(self.places), 0)
        return Span(at, at)
