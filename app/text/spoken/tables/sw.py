"""Swahili. The sign @ is said with its English name."""
# ruff: noqa: RUF001

import re

from app.text.spoken.general.clock import date_with, time_with
from app.text.spoken.general.ordinals import rulers
from app.text.spoken.general.words import Words
from app.text.spoken.numbers import cardinal
from app.text.spoken.roman import ROMAN, value_of
from app.text.spoken.rules import Rule, rule

_ORDINALS = {1: "kwanza", 2: "pili"}  # the others are the numbers


def _ordinal(number: int) -> str:
    return _ORDINALS.get(number) or cardinal(number, "sw")


def _say_ordinal(match: re.Match[str]) -> str:
    return _ordinal(int(match["number"]))


def _say_ruler(number: int, name: str) -> str:
    return f"wa {_ordinal(number)}"


def _say_roman(match: re.Match[str]) -> str:
    return _ordinal(value_of(match["roman"]))


# Nouns that are numbered, and what links them to their number: mara ya 2.
_NUMBERED = (
    r"(?<!\w)(?:(?i:mara|siku|sura|nafasi|karne|sehemu|awamu|wiki|hatua)\sya|"
    r"(?i:darasa|toleo|kundi)\sla|(?i:mwaka|mwezi|mtu)\swa|(?i:kitabu)\scha)\s"
)
_RULERS = ("Elizabeth", "Yohane Paulo", "Yohana Paulo", "Benedikto", "George", "Henry", "Louis",
           "Charles")  # fmt: skip
RULES: tuple[Rule, ...] = (
    rule(rf"{_NUMBERED}(?P<form>(?P<number>\d{{1,3}}))(?![\w.,:]\d|\d|\w)", _say_ordinal),
    rule(rf"{_NUMBERED}(?P<form>{ROMAN})(?![\w-])", _say_roman),
    rulers(_RULERS, _say_ruler),
)
WORDS = Words(
    language="sw",
    decimal=".",
    groups=",",
    minus="hasi",
    to="hadi",
    by="mara",
    signs={"+": "jumlisha", "-": "toa", "\N{MINUS SIGN}": "toa", "*": "mara", "×": "mara",
           "·": "mara", "x": "mara", "/": "gawanya kwa", ":": "gawanya kwa", "÷": "gawanya kwa",
           "=": "ni sawa na"},
    marks={"&": "na", "+": "jumlisha", "=": "ni sawa na", "@": "at"},
    address={".": "nukta", "@": "at", "/": "mkwaju", "-": "kistari", "_": "kistari cha chini",
             "?": "alama ya kuuliza", "=": "sawa na", "&": "na"},
    abbreviations={
        "k.m.": "kwa mfano", "n.k.": "na kadhalika", "k.v.": "kama vile", "Bw.": "Bwana",
        "Bi.": "Bibi", "Dkt.": "Daktari", "Prof.": "Profesa", "Mhe.": "Mheshimiwa",
        "S.L.P.": "Sanduku la Posta", "taz.": "tazama",
    },
    numbered={"uk.": "ukurasa", "Na.": "namba", "na.": "namba", "#": "namba"},
    scales={},
    cents={"": ("",)},
    date=date_with("sw", " "),
    time=time_with("sw"),
)  # fmt: skip
