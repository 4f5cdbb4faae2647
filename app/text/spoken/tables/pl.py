"""Polish. The case of a number beside a noun is not known: it stays in the nominative."""
# ruff: noqa: RUF001

import re

from app.text.spoken.general.clock import time_with
from app.text.spoken.general.ordinals import rulers
from app.text.spoken.general.words import Words
from app.text.spoken.icu import month_name
from app.text.spoken.numbers import ordinal
from app.text.spoken.roman import ROMAN, value_of
from app.text.spoken.rules import Rule, alternatives, rule

_ENDINGS = {
    **dict.fromkeys(("szy", "gi", "ci", "ty", "my", "y"), "-masculine"),
    **dict.fromkeys(("sza", "ga", "cia", "ta", "ma", "a"), "-feminine"),
    **dict.fromkeys(("sze", "gie", "cie", "te", "me"), "-neuter"),
}
# Behind 3.: the gender and the case are certain for these forms alone.
_NOUNS = {
    **dict.fromkeys(("dzień", "raz", "rok", "tydzień", "miesiąc", "wiek", "tom", "rozdział",
                     "etap", "odcinek", "sezon"), "-masculine"),
    **dict.fromkeys(("klasa", "edycja", "rocznica", "część", "kolejka", "liga", "strona",
                     "runda"), "-feminine"),
    **dict.fromkeys(("miejsce", "piętro", "wydanie", "okrążenie"), "-neuter"),
}  # fmt: skip
_CENTURIES = {"wiek": "-masculine", "wieku": "-masculine-genitive"}
_QUEENS = ("Elżbieta", "Katarzyna", "Małgorzata", "Krystyna")
_KINGS = ("Jan Paweł", "Jan", "Zygmunt", "Kazimierz", "Władysław", "Bolesław", "Henryk", "Ludwik",
          "Karol", "August", "Stanisław", "Mikołaj", "Aleksander", "Pius", "Benedykt", "Filip",
          "Fryderyk", "Jerzy", "Napoleon", "Mieszko")  # fmt: skip
_IN, _OF = "-masculine-locative", "-masculine-genitive"


def _date(day: int, month: int, year: int | None, before: str) -> str:
    """In the genitive, as a day is named."""
    said = f"{ordinal(day, 'pl', _OF)} {month_name(month, 'pl')}"
    return f"{said} {ordinal(year, 'pl', _OF)} roku" if year else said


def _say_ordinal(match: re.Match[str]) -> str:
    return ordinal(int(match["number"]), "pl", _ENDINGS[match["ending"]])


def _say_before_noun(match: re.Match[str]) -> str:
    return ordinal(int(match["number"]), "pl", _NOUNS[match["noun"]])


def _say_century(match: re.Match[str]) -> str:
    return ordinal(value_of(match["roman"]), "pl", _CENTURIES[match["noun"]])


def _say_in_century(match: re.Match[str]) -> str:
    return ordinal(value_of(match["roman"]), "pl", _IN)


def _say_in_year(match: re.Match[str]) -> str:
    return f"{ordinal(int(match['year']), 'pl', _IN)} roku"


def _say_ruler(number: int, name: str) -> str:
    return ordinal(number, "pl", "-feminine" if name in _QUEENS else "")


RULES: tuple[Rule, ...] = (
    rule(
        rf"(?<![\w.,])(?P<number>\d{{1,3}})-(?P<ending>{alternatives(_ENDINGS)})(?!\w)",
        _say_ordinal,
    ),
    rule(
        rf"(?<![\w.,])(?P<form>(?P<number>\d{{1,3}})\.)\s(?P<noun>{alternatives(_NOUNS)})(?!\w)",
        _say_before_noun,
    ),
    rule(rf"(?<=\b[wW]\s){ROMAN}(?=\swieku\b)", _say_in_century),
    rule(rf"(?<!\w)(?P<form>{ROMAN})\s(?P<noun>wieku|wiek)(?!\w)", _say_century),
    rule(r"(?<=\b[wW]\s)(?P<year>1\d{3}|20\d{2})\s(?:roku\b|r\.)", _say_in_year),
    rulers((*_QUEENS, *_KINGS), _say_ruler),
)
WORDS = Words(
    language="pl",
    to="do",
    ratio="do",
    by="na",
    over="przez",
    signs={"+": "plus", "-": "minus", "\N{MINUS SIGN}": "minus", "*": "razy", "×": "razy",
           "·": "razy", "x": "razy", "/": "podzielić na", ":": "podzielić na",
           "÷": "podzielić na", "=": "równa się"},
    marks={"&": "i", "§": "paragraf", "%": "procent", "+": "plus", "=": "równa się",
           "@": "małpa"},
    address={".": "kropka", "@": "małpa", "/": "ukośnik", "-": "myślnik", "_": "podkreślnik",
             "?": "znak zapytania", "=": "równa się", "&": "i", "#": "krzyżyk", ":": "dwukropek",
             "+": "plus", "%": "procent"},
    abbreviations={
        "np.": "na przykład", "itd.": "i tak dalej", "itp.": "i tym podobne",
        "m.in.": "między innymi", "tzn.": "to znaczy", "tj.": "to jest", "ok.": "około",
        "godz.": "godzina", "na ul.": "na ulicy", "przy ul.": "przy ulicy", "ul.": "ulica",
        "dr": "doktor", "prof.": "profesor", "inż.": "inżynier", "mgr": "magister",
        "nr": "numer", "str.": "strona", "tel.": "telefon", "p.n.e.": "przed naszą erą",
        "n.e.": "naszej ery", "wg": "według", "jw.": "jak wyżej", "ds.": "do spraw",
        "rozdz.": "rozdział", "pow.": "powyżej",
    },
    numbered={"nr": "numer", "str.": "strona", "s.": "strona", "rozdz.": "rozdział",
              "#": "numer"},
    scales={"tys.": ("tysiąc", "tysiące", "tysięcy", "tysiąca"),
            **dict.fromkeys(("mln", "miliony", "milionów"),
                            ("milion", "miliony", "milionów", "miliona")),
            **dict.fromkeys(("mld", "miliardy", "miliardów"),
                            ("miliard", "miliardy", "miliardów", "miliarda"))},
    cents={"": ("",)},
    date=_date,
    time=time_with("pl"),
    clock={"o": "o", "godz.": "godzina", "godzina": "godzina"},
)  # fmt: skip
