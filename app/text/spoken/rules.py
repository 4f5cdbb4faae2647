"""Rules that find written forms in a text, and what is said instead.

Knows nothing about any language.
"""

import re
from collections.abc import Callable, Iterable
from typing import NamedTuple

from app.text.spans import Replacement

FORM = "form"  # a pattern's group of this name is what the words replace; else all of the match
_TAKEN = "\0"  # stands for a character of a form that was found before


class Rule(NamedTuple):
    """`say` gives the words for a match, or None where the text stays as written."""

    pattern: re.Pattern[str]
    say: Callable[[re.Match[str]], str | None]


def rule(pattern: str, say: Callable[[re.Match[str]], str | None], flags: int = 0) -> Rule:
    """The pattern may hold white space for its reader."""
    return Rule(re.compile(pattern, flags | re.VERBOSE), say)


def alternatives(words: Iterable[str]) -> str:
    """A pattern for any of the words, the longest first."""
    return "|".join(re.escape(word) for word in sorted(words, key=len, reverse=True))


def written(match: re.Match[str], group: str) -> str:
    """The group's text; empty where the group took no part, and in a pattern without it."""
    return match.groupdict().get(group) or ""


def apply_rules(text: str, rules: Iterable[Rule]) -> list[Replacement]:
    """In order of the text. A form belongs to the first rule that finds it."""
    found: list[Replacement] = []
    for each in rules:
        new = _found_by(each, text)
        if new:
            found += new
            text = _without(text, new)
    return sorted(found, key=lambda replacement: replacement.start)


def _found_by(each: Rule, text: str) -> list[Replacement]:
    found = []
    group = FORM if FORM in each.pattern.groupindex else 0
    for match in each.pattern.finditer(text):
        start, end = match.span(group)
        if _TAKEN in text[start:end]:
            continue
        say = each.say(match)
        if say is not None and say != text[start:end]:
            found.append(Replacement(start, end, say))
    return found


def _without(text: str, found: list[Replacement]) -> str:
    """The same number of characters; those that were found are taken."""
    pieces, at = [], 0
    for each in found:
        pieces += [text[at : each.start], _TAKEN * (each.end - each.start)]
        at = each.end
    return "".join([*pieces, text[at:]])
