"""Silence that was put into a stream because its next sound was late. Pure.

The words of a text are timed on the clock of its speech, which stands still in a filler. A client
hears a word later by all fillers before it.
"""

from collections.abc import Iterable
from dataclasses import replace

from app.spoken_words import SpokenWord


class Fillers:
    """Of one stream."""

    def __init__(self) -> None:
        self._at_ms: list[float] = []  # where each was put, on the clock of the speech
        self._length_ms: list[float] = []

    @property
    def total_s(self) -> float:
        return sum(self._length_ms) / 1e3

    def add(self, at_ms: float, length_ms: float) -> None:
        """All speech before `at_ms` is in the stream, and no other."""
        self._at_ms.append(at_ms)
        self._length_ms.append(length_ms)

    def heard(self, words: Iterable[SpokenWord]) -> list[SpokenWord]:
        """The words at the times at which they are heard."""
        return [self._heard(word) for word in words] if self._at_ms else list(words)

    def _heard(self, word: SpokenWord) -> SpokenWord:
        start_ms = word.start_ms + self._before_ms(word.start_ms, is_end=False)
        if word.end_ms is None:
            return replace(word, start_ms=start_ms)
        end_ms = word.end_ms + self._before_ms(word.end_ms, is_end=True)
        return replace(word, start_ms=start_ms, end_ms=max(start_ms, end_ms))

    def _before_ms(self, time_ms: float, *, is_end: bool) -> float:
        """A word that ends where a filler begins ends before it."""
        each = zip(self._at_ms, self._length_ms, strict=True)
        return sum(ms for at, ms in each if at < time_ms or (at == time_ms and not is_end))
