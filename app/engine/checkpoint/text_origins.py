"""Which character of a segment each text id stands for, and which ids have the letters of a word.

A front end rewrites punctuation, writes small letters, takes accents off their letters, spells
characters as codes, adds stress marks, or writes kanji as kana. Here the text before and the text
after are laid beside each other: equal letters stand for each other, and what lies between them is
spread evenly. Pure. Knows nothing about tokenizers.
"""

import re
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from typing import NamedTuple
from unicodedata import category, normalize

from app.engine.checkpoint.common_letters import common_letters
from app.word_marks import WordSpan

# A Chinese character in codes, a space in words, the tag of a language, or one character.
_PIECE = re.compile(r"(?:\[cj_[^.\]]*\])+\[cj_\.\]|\[SPACE\]|^\[[a-z]{2}\]|.", re.DOTALL)
_CODES = "[cj_"


class WordIds(NamedTuple):
    """The text ids `first:end` have the word's letters. The words of a text are in order."""

    first: int
    end: int


class PlacedIds(NamedTuple):
    ids: tuple[int, ...]
    origins: tuple[int, ...]  # of each id: a character of the segment; they never fall


class _Piece(NamedTuple):
    start: int
    end: int
    letters: tuple[str, ...]  # without accents; equal before and after. (): a mark, or added
    is_added: bool  # a space, or a tag


def placed(
    before: str, after: str, ids: Sequence[int], offsets: Sequence[tuple[int, int]]
) -> PlacedIds:
    """`offsets`: the characters of `after` that each id stands for."""
    origins = [*origins_of(before, after), len(before)]
    found: list[int] = []
    for start, end in offsets:
        first = next((at for at in range(start, end) if not after[at].isspace()), start)
        found.append(max(origins[first], found[-1] if found else 0))
    return PlacedIds(tuple(ids), tuple(found))


def word_ids(text: str, words: Sequence[WordSpan], origins: Sequence[int]) -> tuple[WordIds, ...]:
    """Of the words of a segment's `text`. A word that no id stands for is at the id after it."""
    found = []
    for word in words:
        lettered = [at for at in range(*word) if text[at].isalnum()] or range(*word)
        first = min(bisect_left(origins, lettered[0]), max(0, len(origins) - 1))
        found.append(WordIds(first, max(first + 1, bisect_left(origins, lettered[-1] + 1))))
    return tuple(found)


def origins_of(before: str, after: str) -> list[int]:
    """Of each character of `after`: where it came from in `before`. They never fall. What was added
    has the place behind the character before it."""
    old = [(letter, piece.start) for piece in _pieces(before) for letter in piece.letters]
    new = list(_pieces(after))
    keys = [letter for piece in new for letter in piece.letters]
    places = iter(_matched([letter for letter, _ in old], keys))
    origins: list[int] = []
    last = -1
    for piece in new:
        found = [next(places) for _ in piece.letters]
        own = [old[place][1] for place in found if place is not None]
        is_added = piece.is_added or (bool(found) and not own)
        last = max(last, *own) if own else last
        at = min(last + 1, len(before)) if is_added else max(last, 0)
        at = max(at, origins[-1]) if origins else at
        origins += [at] * (piece.end - piece.start)
    return origins


def _pieces(text: str) -> Iterator[_Piece]:
    for match in _PIECE.finditer(text):
        piece = match[0]
        is_codes = piece.startswith(_CODES)
        is_added = piece.isspace() or (len(piece) > 1 and not is_codes)
        plain = piece if is_codes else normalize("NFKD", piece)
        letters = [plain] if is_codes else [char for char in plain if category(char) != "Mn"]
        folded = () if is_added else tuple(letter.casefold() for letter in letters)
        yield _Piece(*match.span(), folded, is_added)


def _matched(old: Sequence[str], new: Sequence[str]) -> list[int | None]:
    """For each of `new` the number of the one in `old` that it stands for; None: it was added."""
    pairs = zip(old, new, strict=False)
    num_same = next((at for at, (a, b) in enumerate(pairs) if a != b), min(len(old), len(new)))
    rest_old, rest_new = old[num_same:], new[num_same:]
    if len(rest_old) == len(rest_new) and all(map(_can_stand_for, rest_new, rest_old)):
        return list(range(len(new)))
    places: list[int | None] = list(range(num_same))
    a = c = 0
    for b, d in [*common_letters(rest_old, rest_new), (len(rest_old), len(rest_new))]:
        spread = (num_same + a + (at - c) * (b - a) // (d - c) for at in range(c, d))
        places += spread if a < b else [None] * (d - c)
        places += [num_same + b] if d < len(rest_new) else []
        a, c = b + 1, d + 1
    return places


def _can_stand_for(new: str, old: str) -> bool:
    return new == old or new.startswith(_CODES) or not (new.isalnum() or old.isalnum())
