"""Cuts text that arrives in pieces, as a language model writes it, into takes to speak.

The first take is the first clause that is long enough, so that speech starts early. Later takes
are whole sentences, and the number of sentences per take grows. The takes depend on the text
alone: a text cut into any pieces gives the same takes. The joined takes are the text, except for
white space. Pure; knows nothing about time or models.
"""

import re

from app.text.markup import is_open_mark
from app.text.segments import MAX_CHARS, SHORT_CHARS, cut_at, sentences, speakable

SENTENCES = (1, 1, 2, 3)  # in the first, second, third and each later take

_CLAUSE = re.compile(r"[,;:—–،؛][\"'”’)\]]*(?=\s)|[、，；：]")  # noqa: RUF001
_TERMINATOR = re.compile(r"[.!?…。！？؟।۔\n]")  # noqa: RUF001
_UNSPACED = "。！？、，；："  # noqa: RUF001 - no space follows these marks


class IncrementalText:
    def __init__(self, language: str | None = None, max_chars: int = MAX_CHARS) -> None:
        self._language = language or "en"
        self._max_chars = max_chars
        self._text = ""
        self._num_taken = 0

    def __len__(self) -> int:
        """Number of characters that are in no take yet."""
        return len(self._text)

    def push(self, text: str) -> list[str]:
        """The takes that are complete now. The end of a sentence counts once the next word is
        complete: until then `Dr.` might end a sentence."""
        takes: list[str] = []
        for char in text:
            if self._is_decided_at(char):
                takes += self._taken()
            self._append(char)
        return takes

    def flush(self) -> list[str]:
        """The rest of the text as one take. Later text begins anew."""
        rest, self._text, self._num_taken = self._text, "", 0
        return [rest] if speakable(rest) else []

    def _append(self, char: str) -> None:
        """A run of white space is kept as one space, or as two line breaks between paragraphs, so
        that hostile text cannot fill memory with white space."""
        last = self._text[-1:]
        if not char.isspace():
            self._text += char
        elif not last.isspace():
            self._text += ("\n" if char == "\n" else " ") if last else ""
        elif char == "\n" and not self._text.endswith("\n\n"):
            self._text = self._text + "\n" if last == "\n" else self._text[:-1] + "\n"

    def _is_decided_at(self, char: str) -> bool:
        """Whether a word is complete before `char`, or the text is too long to wait for one."""
        if len(self._text) > 2 * self._max_chars:
            return True
        ended = char.isspace() or self._text[-1:] in _UNSPACED
        return ended and not self._text[-1:].isspace() and not is_open_mark(self._text)

    def _taken(self) -> list[str]:
        takes = []
        while (end := self._end()) is not None:
            take, self._text = self._text[:end], self._text[end:]
            if speakable(take):  # a very long line of dashes is dropped
                takes.append(take)
                self._num_taken += 1
        return takes

    def _end(self) -> int | None:
        """Where the next take ends. None: wait for more text."""
        ends = self._sentence_ends()
        wanted = SENTENCES[min(self._num_taken, len(SENTENCES) - 1)]
        is_long = len(self._text) > self._max_chars
        for number, end in enumerate(ends, 1):
            next_end = ends[number] if number < len(ends) else None
            is_full = next_end is not None and next_end > self._max_chars
            if self._can_stand(end) and (number >= wanted or is_full):
                return end
        if is_long:
            standing = [end for end in ends if self._can_stand(end)]
            return standing[-1] if standing else cut_at(self._text, self._max_chars)
        return self._first_clause() if self._num_taken == 0 else None

    def _sentence_ends(self) -> list[int]:
        """The ends of all sentences except the last, which may go on."""
        if not _TERMINATOR.search(self._text):
            return []
        ends, end = [], 0
        for sentence in sentences(self._text, self._language)[:-1]:
            end += len(sentence)
            ends.append(end)
        return ends

    def _can_stand(self, end: int) -> bool:
        said = self._text[:end].strip()
        return len(said) >= SHORT_CHARS and speakable(said)

    def _first_clause(self) -> int | None:
        ends = [match.end() for match in _CLAUSE.finditer(self._text, 0, len(self._text) - 1)]
        return next((end for end in ends if self._can_stand(end)), None)
