"""Text that arrives in pieces, as a language model writes it, cut where it can be spoken.

The first take is the first clause that can stand, so that speech starts early; then whole
sentences, more at a time the longer it goes on. What is taken depends on the text alone: cut into
any pieces, it gives the same takes. Joined, the takes are the text, less white space. Pure; knows
nothing about time or models.
"""

import re

from app.text.markup import is_open_mark
from app.text.segments import MAX_CHARS, SHORT_CHARS, cut_at, sentences, speakable

SENTENCES = (1, 1, 2, 3)  # in the first take, the second, the third, each later one

_CLAUSE = re.compile(r"[,;:—–،؛][\"'”’)\]]*(?=\s)|[、，；：]")  # noqa: RUF001
_TERMINATOR = re.compile(r"[.!?…。！？؟।۔\n]")  # noqa: RUF001
_UNSPACED = "。！？、，；："  # noqa: RUF001 - marks that no space follows


class IncrementalText:
    def __init__(self, language: str | None = None, max_chars: int = MAX_CHARS) -> None:
        self._language = language or "en"
        self._max_chars = max_chars
        self._text = ""
        self._num_taken = 0

    def __len__(self) -> int:
        """Characters that are held back."""
        return len(self._text)

    def push(self, text: str) -> list[str]:
        """Whatever can be spoken now. A boundary is trusted once the word after it is complete:
        until then `Dr.` might end a sentence."""
        takes: list[str] = []
        for char in text:
            if self._is_decided_at(char):
                takes += self._taken()
            self._append(char)
        return takes

    def flush(self) -> list[str]:
        """The rest; what comes next begins anew."""
        rest, self._text, self._num_taken = self._text, "", 0
        return [rest] if speakable(rest) else []

    def _append(self, char: str) -> None:
        """White space is one space, or two line breaks between paragraphs: hostile text would
        fill memory with it."""
        last = self._text[-1:]
        if not char.isspace():
            self._text += char
        elif not last.isspace():
            self._text += ("\n" if char == "\n" else " ") if last else ""
        elif char == "\n" and not self._text.endswith("\n\n"):
            self._text = self._text + "\n" if last == "\n" else self._text[:-1] + "\n"

    def _is_decided_at(self, char: str) -> bool:
        """Whether a word is complete before `char`, or the text is too long to wait for that."""
        if len(self._text) > 2 * self._max_chars:
            return True
        ended = char.isspace() or self._text[-1:] in _UNSPACED
        return ended and not self._text[-1:].isspace() and not is_open_mark(self._text)

    def _taken(self) -> list[str]:
        takes = []
        while (end := self._end()) is not None:
            take, self._text = self._text[:end], self._text[end:]
            if speakable(take):  # else it is a line of dashes, too long to wait for a word
                takes.append(take)
                self._num_taken += 1
        return takes

    def _end(self) -> int | None:
        """Where the next take ends; None while it is better to wait."""
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
        """Of the sentences after which another has begun."""
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
