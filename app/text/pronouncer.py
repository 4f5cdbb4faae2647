"""Finds the terms of pronunciations in a text.

Whole words only, and the longest term first. All terms are looked for in the caller's own words,
so no pronunciation is ever applied to what another one says. Pure; knows nothing about requests.
"""

import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache

from app.text.pronunciations import Pronunciation
from app.text.spans import Replacement
from app.text.term_index import Forms, Term, TermIndex
from app.text.word_borders import NO_SPACES, begins_word, ends_word

_PLAIN = {
    **{code: " " for code in range(0x3001) if chr(code).isspace()},
    **dict.fromkeys(map(ord, "’‘ʼ"), "'"),  # noqa: RUF001
    **dict.fromkeys(map(ord, "‐‑"), "-"),  # noqa: RUF001
}
_TOKEN = re.compile(f"[^ {NO_SPACES}]+")  # only within one can more text change what a word is
_ADDRESS = re.compile(
    r"[(<\[\"']*(?:\w+://|www\.|[\w-]+(?:\.[\w-]+)+/|[\w.+-]+@[\w-]+\.\w)", re.IGNORECASE
)


class Pronouncer:
    """Pronunciations that are ready to be looked for in texts of one language."""

    def __init__(self, entries: Iterable[Pronunciation], language: str) -> None:
        self._language = language
        self._index = TermIndex(_terms(entries, language))

    def replacements(self, text: str) -> list[Replacement]:
        """In order, none overlaps another, and all are final. Of terms of the same length at the
        same place, the one that was given first counts. Terms within an address (of the web or of
        mail) stay."""
        if not self._index:
            return []
        plain, places = _plain(text)
        return [
            Replacement(places[at], places[at + len(term.form) - 1] + 1, term.say, is_final=True)
            for at, term in self._found(plain)
        ]

    def open_at(self, text: str) -> int | None:
        """Where the earliest term begins that more text could complete, change or undo. None: no
        further text changes the replacements of `text`."""
        if not self._index:
            return None
        plain, places = _plain(text)
        found = list(self._found(plain))
        # A term that has been found wins over one that begins within it.
        taken = {at for start, term in found for at in range(start + 1, start + len(term.form))}
        last_word = len(plain)
        while last_word and _TOKEN.match(plain[last_word - 1]):
            last_word -= 1
        # More text may make another word, or an address, of the last one.
        may_change = (at for at, term in found if at + len(term.form) > last_word)
        may_begin = (at for at in self._unfinished(plain) if at not in taken)
        first = min(next(may_begin, len(plain)), next(may_change, len(plain)))
        return places[first] if first < len(plain) else None

    def _unfinished(self, plain: str) -> Iterator[int]:
        """Where a term begins that the text ends within, or a longer one than the text has."""
        forms = Forms(plain, _folded(plain, self._language))
        for at in range(max(0, len(plain) - self._index.longest), len(plain)):
            if self._index.may_begin_at(forms, at) and begins_word(plain, at, self._language):
                yield at

    def _found(self, plain: str) -> Iterator[tuple[int, Term]]:
        """The place of each term."""
        forms = Forms(plain, _folded(plain, self._language))
        in_address = _in_address(plain)
        at = 0
        while at < len(plain):
            for term in self._index.at(forms, at):
                is_free = at not in in_address or _ADDRESS.match(term.form)
                if is_free and self._is_word(plain, at, at + len(term.form)):
                    yield at, term
                    at += len(term.form)
                    break
            else:
                at += 1

    def _is_word(self, plain: str, start: int, end: int) -> bool:
        return begins_word(plain, start, self._language) and ends_word(plain, end, self._language)


@lru_cache(maxsize=16)
def pronouncer(entries: tuple[Pronunciation, ...], language: str | None) -> Pronouncer:
    """A text without a language is English."""
    return Pronouncer(entries, language or "en")


def _terms(entries: Iterable[Pronunciation], language: str) -> Iterator[Term]:
    for entry in entries:
        form, _ = _plain(unicodedata.normalize("NFC", entry.term).strip())
        if form and entry.language in (None, language):
            is_exact = entry.case_sensitive
            yield Term(form if is_exact else _folded(form, language), is_exact, entry.say)


def _plain(text: str) -> tuple[str, Sequence[int]]:
    """The text with one space for each run of white space and with plain apostrophes and hyphens,
    and the place of each of its characters in `text`."""
    plain = text.translate(_PLAIN)
    if "  " not in plain:
        return plain, range(len(plain))
    kept = [i for i, char in enumerate(plain) if char != " " or plain[i - 1 : i] != " "]
    return "".join(plain[i] for i in kept), kept


def _folded(text: str, language: str) -> str:
    """In lower case, with the same number of characters."""
    if language == "tr":
        text = text.replace("İ", "i").replace("I", "ı")  # noqa: RUF001
    lower = text.lower()
    if len(lower) != len(text):
        lower = "".join(char.lower() if len(char.lower()) == 1 else char for char in text)
    return lower.replace("ς", "σ")  # noqa: RUF001


def _in_address(plain: str) -> set[int]:
    """The places within addresses: a term there is no word."""
    if not ("/" in plain or "@" in plain or "www." in plain.lower()):
        return set()
    tokens = (token for token in _TOKEN.finditer(plain) if _ADDRESS.match(token[0]))
    return {at for token in tokens for at in range(*token.span())}
