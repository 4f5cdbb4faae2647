"""Ordinal numbers that several languages write alike: with a full stop, or in Roman numerals."""

import re
from collections.abc import Callable, Sequence

from app.text.spoken.numbers import ordinal
from app.text.spoken.roman import ROMAN, value_of
from app.text.spoken.rules import Rule, alternatives, rule


def dotted_ordinals(language: str, form: str = "") -> Rule:
    """3. plads: a small letter follows, so the full stop ends no sentence."""

    def say(match: re.Match[str]) -> str | None:
        is_inside = match.string[match.end() :].lstrip()[:1].islower()
        return ordinal(int(match["number"]), language, form) if is_inside else None

    return rule(r"(?<![\w.,:/-])(?P<number>\d{1,4})\.(?=\s)", say)


def rulers(names: Sequence[str], say: Callable[[int, str], str]) -> Rule:
    """Kings, queens and popes: Henrik VIII. `say` has the number and the name before it."""

    def say_ruler(match: re.Match[str]) -> str:
        return say(value_of(match["roman"]), match["name"])

    return rule(rf"(?<!\w)(?P<name>{alternatives(names)})\s(?P<form>{ROMAN})(?![\w-])", say_ruler)
