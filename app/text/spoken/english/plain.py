"""What is left in English: ordinals, versions, counts with k or M, hashes, marks, bare numbers."""
# ruff: noqa: RUF001

import re

from app.text.spoken.english.abbreviations import NUMBERED
from app.text.spoken.english.dates import SHORT_MONTHS
from app.text.spoken.english.numbers import (
    MINUS,
    NUMBER,
    SCALES,
    cardinal,
    digits,
    number,
    ordinal,
    spelled,
)
from app.text.spoken.english.units import PER
from app.text.spoken.rules import Rule, apart, rule, written


def _say_item(match: re.Match[str]) -> str:
    """The number of a list's item: with a comma, so that no sentence ends behind it."""
    return f"{cardinal(int(match['item']))},"


_LONG = re.compile(r"\d{7,}(?!000)\d{3}")  # a name of something, not an amount


def _say_inner_item(match: re.Match[str]) -> str | None:
    """An item in the middle of a line. Behind a colon it is the first, or another follows; behind
    an abbreviation, as in No. 1, it is none."""
    before, item = match.string[: match.start()], int(match["item"])
    if before[-1] in ":;":
        follows = re.search(rf"[.!?;]\s+{item + 1}[.)]\s", match.string[match.end() :])
        return _say_item(match) if item == 1 or follows else None
    last = before.split()[-1].lstrip("(\"'“")
    is_short = last in NUMBERED or last.rstrip(".") in SHORT_MONTHS
    return None if is_short else _say_item(match)


def _say_ordinal(match: re.Match[str]) -> str:
    return ordinal(int(match["number"].replace(",", "")))


def _say_scaled(match: re.Match[str]) -> str:
    return f"{number(match['amount'])} {SCALES[match['scale'].lower()]}"


def _say_version(match: re.Match[str]) -> str:
    said = " point ".join(cardinal(int(part)) for part in match["version"].split("."))
    letter = written(match, "v")
    return f"{'version ' if letter else ''}{said}"


def _say_number(match: re.Match[str]) -> str:
    is_long = _LONG.fullmatch(match[0])
    return apart(digits(match[0]) if is_long else number(match[0]), match)


def _say_plus(match: re.Match[str]) -> str:
    return f"{number(match['amount'])} plus"


def _say_hash_number(match: re.Match[str]) -> str:
    return "number "


def _say_serial(match: re.Match[str]) -> str:
    return spelled(match[0].replace("-", ""))


_MARKS = {"&": " and ", "@": " at ", "%": " percent ", "+": " plus ", "=": " equals ",
          "==": " equals ",
          "#": " hash ",
          "§": "section ", "§§": "sections ", "©": "copyright ", "®": "", "™": "", "°": " degrees ",
          "→": " to ", "->": " to ", "=>": " to ", "~": "about ", "_": " ", "±": " plus or minus ",
          "×": " times ", "÷": " divided by ", "/": " slash ", "\\": " backslash ", "^": " caret ",
          "|": ", ", "≈": " is about ", "≤": " at most ", "≥": " at least ",
          "≠": " is not equal to ",
          "№": "number ", "№.": "number ", "$": " dollar ", "€": " euro ", "£": " pound ",
          "¥": " yen "}  # fmt: skip


def _say_per(match: re.Match[str]) -> str:
    return f" {PER[match['per']]}"


def _say_mark(match: re.Match[str]) -> str:
    """One space on each side, and none beside another."""
    said = _MARKS[match["mark"]]
    before, after = match.string[: match.start()][-1:], match.string[match.end() :][:1]
    if before.isspace() or not before or _MARKS.get(before, "").endswith(" "):
        said = said.lstrip()
    return said.rstrip() if after.isspace() or not after else said


_PER = "s|sec|second|min|minute|h|hr|hour|day|wk|week|mo|month|yr|year|user|person|seat|night"
_ITEM = r"(?P<form>(?P<item>\d{1,3})[.)])(?=[\ \t]+\S)"
LIST_RULES: tuple[Rule, ...] = (
    rule(rf"^[\ \t]*{_ITEM}", _say_item, re.MULTILINE),
    rule(rf"(?<=[.!?:;])\s+{_ITEM}(?=\s+[\"“'*_]?[A-Z])", _say_inner_item),
    rule(r"(?<![\w])\((?P<item>\d{1,2})\)(?=\s+\S)", _say_item),
)
RULES: tuple[Rule, ...] = (
    rule(
        r"""(?<![\w.,])(?P<number>\d{1,3}(?:,\d{3})+|\d+)
        (?:st|nd|rd|th|ST|ND|RD|TH|ˢᵗ|ⁿᵈ|ʳᵈ|ᵗʰ)(?!\w)""",
        _say_ordinal,
    ),
    rule(r"(?<![\w.])(?P<v>[vV])\.?(?P<version>\d+(?:\.\d+)*)(?!\w)(?!\.\d)", _say_version),
    rule(r"(?<![\w.])(?P<v>)(?P<version>\d+(?:\.\d+){2,})(?!\w)", _say_version),
    rule(
        rf"(?<![\w.,])(?P<amount>(?:{MINUS})?(?:{NUMBER}))(?P<scale>[kKMB]|bn|mn|tn)(?![\w])",
        _say_scaled,
    ),
    rule(r"\#\s?(?=[\d\0])", _say_hash_number),
    rule(rf"(?<![\w.,])(?P<amount>{NUMBER})\+(?!\w|\+)", _say_plus),
    rule(rf"(?<![\w.,\0]){MINUS}(?:{NUMBER})(?![\d])", _say_number),
    rule(rf"(?:(?<![\d.,])|(?<=\D[.,])|(?<=^[.,])|(?<=\d,))(?:{NUMBER})(?!\d)", _say_number),
)
MARK_RULES: tuple[Rule, ...] = (
    # 2x/day, 10 requests/s, a second one behind $5/user
    rule(
        rf"[\d\0]x?(?:\s[a-z]+)?(?P<form>\s?/\s?(?P<per>{_PER}))(?!\w|/\d)",
        _say_per,
    ),
    rule(r"(?P<mark>->|=>|==|§§|[&@%+=§©®™°→~_±×÷\\|≈≤≥≠№€£¥]|\$(?!\w))", _say_mark),
    rule(r"(?P<mark>\#)(?=\w)", _say_mark),
    rule(r"(?<=[\w\0])(?P<mark>/)(?=[\w\0])", _say_mark),
)
