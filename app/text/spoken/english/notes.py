"""Marks that are not read in English: the numbers of footnotes, citations, emoticons. And hashtags.

They are found before the numbers in them are read.
"""
# ruff: noqa: RUF001

import re

from app.text.spoken.rules import Rule, rule

_SUPERSCRIPTS = "⁰¹²³⁴⁵⁶⁷⁸⁹"
_NO_FUNCTION = r"(?<!\bsin)(?<!\bcos)(?<!\btan)(?<!\blog)(?<!\bsec)(?<!\brad)"


def _say_nothing(match: re.Match[str]) -> str:
    return ""


def _say_love(match: re.Match[str]) -> str:
    return "love"


def _say_hashtag(match: re.Match[str]) -> str:
    return "hashtag "


RULES: tuple[Rule, ...] = (
    # behind a word, or behind the mark that ends a sentence: the number of a note
    rule(
        rf"""(?:(?<=[^\W\d_]{{3}}){_NO_FUNCTION}|(?<=[.,;:!?"”’]))
        [{_SUPERSCRIPTS}]+(?:,[{_SUPERSCRIPTS}]+)*(?!\w)""",
        _say_nothing,
    ),
    # Jones[1], [^1]: behind a longer word or a mark; a[1] is code
    rule(
        r"""(?:(?<=[^\W\d_]{4})|(?<=[.,;:!?)"”’]))(?:\[\^?[1-9]\d{0,2}(?:[,–-]\s?\d{1,3})*\])+
        |\[\^\d{1,3}\]""",
        _say_nothing,
    ),
    # x <3 is a comparison
    rule(r"(?:(?<=\bI\s)|(?<=\b[Ww]e\s))<3+(?=\s[^\W\d_])", _say_love),
    rule(
        r"""(?:(?<=\byou\s)|(?<=\ball\s)|(?<=\bguys\s)|(?<=\bmuch\s)|(?<=[!.,]\s))<3+
        (?=\s?[.!]|\s*$)""",
        _say_nothing,
    ),
    rule(r"(?<!\S)[:;]'?-?[)(DP]+(?=[\s.!?,]|$)", _say_nothing),
    rule(r"(?<![\w&])\#(?![0-9A-Fa-f]{6}\b)(?=[^\W\d_])", _say_hashtag),
)
