"""Where sentences end, in any language. Pure functions.

The borders are those of the sentence library, with five corrections: a full stop inside quotes or
brackets ends a sentence too, and an abbreviation, an ordinal number (`im 19. Jahrhundert`), the
number of a list's item, and the point of a decimal in native digits do not.
"""

import re

import sentencex

from app.text.abbreviations import is_abbreviated
from app.text.ordinals import is_ordinal

_OPEN, _CLOSE = '"“”„‟«‹‘([{「『《〈', '"“”»›’)]}」』》〉'  # noqa: RUF001
_ENDS = ".!?…。！？।؟۔"  # noqa: RUF001
_POINTS = ".\u066b"  # of decimals
_CLOSED_END = re.compile(rf"([{_ENDS}]+)([{re.escape(_CLOSE)}]+)")
_QUOTES = re.compile(rf"(?<!\w)[{re.escape(_OPEN)}]|[{re.escape(_CLOSE)}](?!\w)")
_OPENED_LAST = re.compile(rf"(?<=\s)[{re.escape(_OPEN)}'’\s]+$")  # noqa: RUF001
_NUMBER = re.compile(r"(?:^|\n)\s*(?:\d{1,3}|[A-Za-z])[.)]\s*$")
_CLOSED = re.compile(rf"[{re.escape(_CLOSE)}]\s*$")


def sentences(text: str, language: str) -> list[str]:
    """The sentences in order, each with the space behind it. Joined, they are the text."""
    found: list[str] = []
    for piece in _pieces(text, language):
        if found and _goes_on(found[-1], piece, language):
            found[-1] += piece
        else:
            found.append(piece)
    return found


def _pieces(text: str, language: str) -> list[str]:
    """The library's borders, with the quotes hidden: it sees none within a pair."""
    plain = _CLOSED_END.sub(lambda match: " " * len(match[2]) + match[1], text)
    plain = _QUOTES.sub(" ", plain)
    pieces, at, opened = [], 0, ""
    for each in sentencex.segment(language, plain):
        piece = opened + text[at : at + len(each)]
        at += len(each)
        opening = _OPENED_LAST.search(piece) if at < len(text) else None
        opened = opening[0] if opening else ""
        pieces.append(piece[: len(piece) - len(opened)])
    return [piece for piece in pieces if piece]


def _goes_on(before: str, after: str, language: str) -> bool:
    """Whether the sentence that ends in `before` goes on in `after`."""
    said = before.rstrip()
    if said.endswith(".") and is_abbreviated(said, after, language):
        return True
    if _NUMBER.search(before):
        return True
    if said.endswith(".") and is_ordinal(said, after, language):
        return True
    if said == before and said[-1:] in _POINTS and said[-2:-1].isdigit() and after[:1].isalnum():
        return True
    return _CLOSED.search(before) is not None and after[:1].islower()
