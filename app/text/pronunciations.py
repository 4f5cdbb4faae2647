"""Words that a caller wants said otherwise: `Kubernetes` as `koo ber net eez`.

Whole words only, and the longest term first. All terms are looked for in the caller's own words,
so no pronunciation is ever applied to what another one says. Pure; knows nothing about requests,
voices or stores.
"""

import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

from app.errors import BadRequest
from app.text.spans import Replacement
from app.text.term_index import Forms, Term, TermIndex
from app.text.word_borders import NO_SPACES, begins_word, ends_word

MAX_TERM_CHARS = 100
MAX_SAY_CHARS = 200
MAX_GROWTH = 10
SHORT_CHARS = 400  # a shorter text counts as one of this length

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
        Replacement(places[at], places[at + len(term.form) - 1] + 1, term.say, is_final=True)
        for at, term in _found(plain, index, language)
    ]


def check_growth(text: str, pronounced: str) -> None:
    """Raises BadRequest where the pronunciations make a text much longer, so that a short request
    cannot ask for hours of speech."""
    if len(pronounced) > MAX_GROWTH * max(len(text), SHORT_CHARS):
        message = f"pronunciations: they may make a text {MAX_GROWTH} times as long, not more"
        raise BadRequest(message, param="pronunciations", code="string_above_max_length")


def open_term_at(text: str, entries: Sequence[Pronunciation], language: str | None) -> int | None:
    """Where the earliest term begins that more text could complete, change or undo. None: no
    further text changes the replacements of `text`."""
    language = language or "en"
    index = _index(tuple(entries), language)
    if not index:
        return None
    plain, places = _plain(text)
    forms = Forms(plain, _folded(plain, language))
    for at in range(max(0, len(plain) - index.longest), len(plain)):
        if index.may_begin_at(forms, at) and begins_word(plain, at, language):
            return places[at]
    last_word = len(plain)
    while last_word and _TOKEN.match(plain[last_word - 1]):
        last_word -= 1
    for at, term in _found(plain, index, language):
        if at + len(term.form) > last_word:  # more text may make another word, or an address, of it
            return places[at]
    return None


def _found(plain: str, index: TermIndex, language: str) -> Iterator[tuple[int, Term]]:
    """The place of each term."""
    forms = Forms(plain, _folded(plain, language))
    in_address = _in_address(plain)
    at = 0
    while at < len(plain):
        for term in index.at(forms, at):
            if _stands_at(plain, at, term, language) and (
                at not in in_address or _ADDRESS.match(term.form)
            ):
                yield at, term
                at += len(term.form)
                break
        else:
            at += 1


def _stands_at(plain: str, at: int, term: Term, language: str) -> bool:
    """Whether the term is a whole word there."""
    end = at + len(term.form)
    return begins_word(plain, at, language) and ends_word(plain, end, language)


@lru_cache(maxsize=16)
def _index(entries: tuple[Pronunciation, ...], language: str) -> TermIndex:
    terms = []
    for entry in entries:
        form, _ = _plain(unicodedata.normalize("NFC", entry.term).strip())
        if form and entry.language in (None, language):
            is_exact = entry.case_sensitive
            form = form if is_exact else _folded(form, language)
            terms.append(Term(form, is_exact, entry.say))
    return TermIndex(terms)


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
