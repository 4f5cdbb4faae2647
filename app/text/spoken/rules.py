"""Rules that find written forms in a text, and what is said instead.

Knows nothing about any language.
"""
# ruff: noqa: RUF001

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import NamedTuple

from app.text.spans import Replacement

FORM = "form"  # a pattern's group of this name is what the words replace; else all of the match
MAX_CHARS = 500  # at a time
_SENTENCE_END = re.compile(r"[^\W\d_]{4}[.!?]\s+(?=[^\W\d_])|[。！？।]")  # of no abbreviation
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


def apart(words: str, match: re.Match[str]) -> str:
    """The words, with a space where a letter or a digit stands directly beside the match."""
    before, behind = match.string[: match.start()][-1:], match.string[match.end() :][:1]
    left = " " if before.isalnum() or before in (",", ";") else ""
    return f"{left}{words}{' ' if behind.isalnum() else ''}"


def apply_rules(text: str, rules: Sequence[Rule]) -> list[Replacement]:
    """In order of the text. A form belongs to the first rule that finds it."""
    found: list[Replacement] = []
    at = 0
    while at < len(text):
        end = _piece_end(text, at)
        piece = _applied(text[at:end], rules)
        found += [replace(each, start=each.start + at, end=each.end + at) for each in piece]
        at = end
    return found


def _piece_end(text: str, at: int) -> int:
    """Where the rules may stop to look: the time of some grows with the square of a text. A line
    ends there, else a sentence, else a word."""
    end = at + MAX_CHARS
    if end >= len(text):
        return len(text)
    line = text.rfind("\n", at, end) + 1
    if line > at:
        return line
    sentences = [match.end() for match in _SENTENCE_END.finditer(text, at, end)]
    return sentences[-1] if sentences else _word_end(text, at, end)


def _word_end(text: str, at: int, end: int) -> int:
    space = text.rfind(" ", at, end) + 1
    return space if space > at else end


def _applied(text: str, rules: Sequence[Rule]) -> list[Replacement]:
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
