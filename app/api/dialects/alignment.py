"""ElevenLabs' alignments: the characters of a text with their times, made of the words' times.
Pure.

Every character of the text is told once and in order. The characters of a word share its time; what
stands before a word, spaces and marks, fills the time from the word before it.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from app.api.dialects.words import TimedWord


@dataclass(frozen=True, slots=True)
class TimedChar:
    char: str
    start_ms: int
    end_ms: int


class Alignments:
    """Of one context."""

    def __init__(self, *, is_synced: bool) -> None:
        """`is_synced`: all times count from the context's start, as LiveKit reads them. Else each
        alignment begins at 0 where the one before it ended, and the spans add up, as Pipecat and
        the vendor's own documents read them."""
        self._is_synced = is_synced
        self._text = ""
        self._num_told = 0  # characters
        self._told_ms = 0  # where the last one ended

    def add_text(self, text: str) -> None:
        self._text += text

    def of(self, words: Sequence[TimedWord]) -> list[TimedChar]:
        """Up to the last of the words. Words that are told already are left out."""
        zero_ms = self._zero_ms()
        chars: list[TimedChar] = []
        for word in words:
            if word.char_start >= self._num_told and word.char_end <= len(self._text):
                start_ms = max(self._told_ms, round(word.start_ms))
                chars += self._take(word.char_start, start_ms, zero_ms)
                end_ms = max(start_ms, round(word.end_ms))
                chars += self._take(word.char_end, end_ms, zero_ms)
        return chars

    def rest(self) -> list[TimedChar]:
        """What stands after the last word. Empty where no word was told."""
        if not self._num_told:
            return []
        return list(self._take(len(self._text), self._told_ms, self._zero_ms()))

    def _zero_ms(self) -> int:
        return 0 if self._is_synced else self._told_ms

    def _take(self, end: int, end_ms: int, zero_ms: int) -> Iterator[TimedChar]:
        """The characters up to `end`, which last until `end_ms`."""
        text, begin_ms = self._text[self._num_told : end], self._told_ms
        self._num_told, self._told_ms = end, end_ms
        for number, char in enumerate(text):
            start = begin_ms + (end_ms - begin_ms) * number // len(text)
            stop = begin_ms + (end_ms - begin_ms) * (number + 1) // len(text)
            yield TimedChar(char, start - zero_ms, stop - zero_ms)
