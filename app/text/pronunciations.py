"""Words that a caller wants said otherwise: `Kubernetes` as `koo ber net eez`.

Whole words only, and the longest term first. All terms are looked for in the caller's own words,
so no pronunciation is ever applied to what another one says. Pure; knows nothing about requests,
voices or stores.
"""

import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

from app.text.spans import Replacement
from app.text.word_borders import NO_SPACES, begins_word, ends_word

MAX_TERM_CHARS = 100
MAX_SAY_CHARS = 200

_PLAIN = {
    **{code: " " for code in range(0x3001) if chr(code).isspace()},
    **dict.fromkeys(map(ord, "’‘ʼ"), "'"),  # noqa: RUF001
    **dict.fromkeys(map(ord, "‐‑"), "-"),  # noqa: RUF001
}
_TOKEN = re.compile(f"[^ {NO_SPACES}]+")  # only within one can more text change what a word is
_ADDRESS = re.compile(
    r"[(<\[\"']*(?:\w+://|www\.|[\w-]+(?:\.[\w-]+)+/|[\w.+-]+@[\w-]+\.\w)", re.IGNORECASE
)


@dataclass(frozen=True, slots=True)
class Pronunciation:
    """Where the whole word `term` stands in a text of `language`, `say` is spoken."""

    term: str
    say: str
    language: str | None = None  # None: of every language
    case_sensitive: bool = False


class _Term(NamedTuple):
    form: str
    is_exact: bool
    say: str


_Index = Mapping[str, Sequence[_Term]]  # by the first character, in lower case; longest first


def merged(*levels: Iterable[Pronunciation]) -> tuple[Pronunciation, ...]:
    """The pronunciations of all levels. Of two with the same term, the one of the earlier level
    counts; within a level, the one with the narrower condition."""
    narrow_first = (
        sorted(level, key=lambda entry: (not entry.case_sensitive, entry.language is None))
        for level in levels
    )
    return tuple(entry for level in narrow_first for entry in level)


def replacements(
    text: str, entries: Sequence[Pronunciation], language: str | None
) -> list[Replacement]:
    """In order, none overlaps another, and all are final. Of terms of the same length at the same
    place, the first in `entries` counts. Terms within an address (of the web or of mail) stay."""
    language = language or "en"
    index = _index(tuple(entries), language)
    if not index:
        return []
    plain, places = _plain(text)
    return [
        Replacement(places[start], places[end - 1] + 1, say, is_final=True)
        for start, end, say in _found(plain, index, language)
    ]


def open_term_at(text: str, entries: Sequence[Pronunciation], language: str | None) -> int | None:
    """Where the earliest term begins that more text could complete, change or undo. None: no
    further text changes the replacements of `text`."""
    language = language or "en"
    index = _index(tuple(entries), language)
    if not index:
        return None
    plain, places = _plain(text)
    folded = _folded(plain, language)
    longest = max(len(terms[0].form) for terms in index.values())
    for at in range(max(0, len(plain) - longest), len(plain)):
        terms = index.get(folded[at], ()) if begins_word(plain, at, language) else ()
        rest = {True: plain[at:], False: folded[at:]}
        if any(term.form.startswith(rest[term.is_exact]) for term in terms):
            return places[at]
    last_word = len(plain)
    while last_word and _TOKEN.match(plain[last_word - 1]):
        last_word -= 1
    for start, end, _ in _found(plain, index, language):
        if end > last_word:  # more text may make another word, or an address, of it
            return places[start]
    return None


def _found(plain: str, index: _Index, language: str) -> Iterator[tuple[int, int, str]]:
    """Start, end and spoken form of each term."""
    folded = _folded(plain, language)
    in_address = _in_address(plain)
    at = 0
    while at < len(plain):
        terms = index.get(folded[at])
        term = None
        if terms is not None and begins_word(plain, at, language):
            term = _term_at(plain, folded, at, terms, language)
        if term is None or (at in in_address and not _ADDRESS.match(term.form)):
            at += 1
        else:
            yield at, at + len(term.form), term.say
            at += len(term.form)


def _term_at(
    plain: str, folded: str, at: int, terms: Sequence[_Term], language: str
) -> _Term | None:
    for term in terms:
        has_form = (plain if term.is_exact else folded).startswith(term.form, at)
        if has_form and ends_word(plain, at + len(term.form), language):
            return term
    return None


@lru_cache(maxsize=16)
def _index(entries: tuple[Pronunciation, ...], language: str) -> _Index:
    by_first: dict[str, list[_Term]] = {}
    for entry in entries:
        form, _ = _plain(unicodedata.normalize("NFC", entry.term).strip())
        folded = _folded(form, language)
        if form and entry.language in (None, language):
            term = _Term(form if entry.case_sensitive else folded, entry.case_sensitive, entry.say)
            by_first.setdefault(folded[0], []).append(term)
    for terms in by_first.values():
        terms.sort(key=lambda term: -len(term.form))  # stable: the earlier entry stays first
    return by_first


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
