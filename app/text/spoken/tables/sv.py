"""Swedish."""
# ruff: noqa: RUF001

import re

from app.text.spoken.general.words import Words
from app.text.spoken.icu import month_name
from app.text.spoken.numbers import cardinal, ordinal
from app.text.spoken.numbers import year as spoken_year
from app.text.spoken.roman import ROMAN, value_of
from app.text.spoken.rules import Rule, rule, written


def year(number: int) -> str:
    return spoken_year(number, "sv") if number < 2000 else cardinal(number, "sv")


def _date(day: int, month: int, full_year: int | None, before: str) -> str:
    article = "" if before in ("den", "på") else "den "
    said = f"{article}{ordinal(day, 'sv')} {month_name(month, 'sv')}"
    return f"{said} {year(full_year)}" if full_year else said


def _time(hour: int, minute: int, second: int | None) -> str:
    hours = cardinal(hour, "sv")
    if not minute:
        return hours if hour else "noll noll noll"
    return f"{hours} {'noll ' if minute < 10 else ''}{cardinal(minute, 'sv')}"


def _say_clock(match: re.Match[str]) -> str:
    said = _time(int(match["hour"]), int(written(match, "minute") or 0), None)
    return f"{'Klockan' if match[0][0] == 'K' else 'klockan'} {said}"


def _say_ordinal(match: re.Match[str]) -> str:
    return ordinal(int(match["number"]), "sv")


def _say_ruler(match: re.Match[str]) -> str:
    return f"den {ordinal(value_of(match['roman']), 'sv')}"


RULES: tuple[Rule, ...] = (
    rule(
        r"""\b[Kk]l(?:\.\s?|ockan\s|\s)(?P<hour>[01]?\d|2[0-4])(?:[.:](?P<minute>[0-5]\d))?
        (?![\w:])(?!\.\d)""",
        _say_clock,
    ),
    rule(r"(?<![\w.,])(?P<number>\d{1,4}):(?:e|a)(?!\w)", _say_ordinal),
    rule(
        rf"""\b(?:Karl|Gustav|Gustaf|Oscar|Carl|Erik|Henrik|Ludvig|Elizabeth|Margareta|Fredrik
        |Adolf)\s(?P<form>{ROMAN})(?!\w)""",
        _say_ruler,
    ),
)
WORDS = Words(
    language="sv",
    point="komma",
    degrees="grader",
    to="till",
    ratio="till",
    by="gånger",
    times="gånger",
    over="genom",
    signs={"+": "plus", "-": "minus", "\N{MINUS SIGN}": "minus", "*": "gånger", "×": "gånger",
           "·": "gånger", "x": "gånger", "/": "delat med", "÷": "delat med", "=": "är lika med",
           "<": "är mindre än", ">": "är större än", "≈": "är ungefär lika med", "±": "plus minus"},
    marks={"&": "och", "§": "paragraf", "%": "procent", "+": "plus", "=": "är lika med",
           "@": "snabel-a",
           "#": "nummer", "€": "euro", "$": "dollar", "°": "grader", "©": "copyright", "™": "",
           "®": "", "№": "nummer", "→": "till", "~": "ungefär"},
    address={".": "punkt", "@": "snabel-a", "/": "snedstreck", "-": "bindestreck",
             "_": "understreck",
             "?": "frågetecken", "=": "lika med", "&": "och", "#": "nummer", ":": "kolon",
             "+": "plus"},
    abbreviations={
        "t.ex.": "till exempel", "t. ex.": "till exempel", "bl.a.": "bland annat",
        "bl. a.": "bland annat",
        "m.m.": "med mera", "osv.": "och så vidare", "o.s.v.": "och så vidare",
        "dvs.": "det vill säga",
        "d.v.s.": "det vill säga", "ca": "cirka", "ca.": "cirka", "kl.": "klockan", "nr": "nummer",
        "Nr": "Nummer", "Ca": "Cirka",
        "nr.": "nummer", "st.": "stycken", "St.": "Sankt", "tel.": "telefon",
        "Tel.": "telefon", "dr": "doktor", "Dr": "doktor",
        "dr.": "doktor",
        "jfr": "jämför", "f.Kr.": "före Kristus", "e.Kr.": "efter Kristus", "p.g.a.": "på grund av",
        "pga": "på grund av", "s.k.": "så kallad", "inkl.": "inklusive", "exkl.": "exklusive",
        "max.": "maximalt", "min.": "minst", "prof.": "professor", "etc.": "et cetera",
        "fr.o.m.": "från och med",
        "t.o.m.": "till och med", "EU": "E U", "USA": "U S A", "SVT": "S V T", "BMW": "B M W",
        "TV": "T V",
        "FN": "F N", "SJ": "S J", "PDF": "P D F", "kr": "kronor",
    },
    numbered={"nr": "nummer", "nr.": "nummer", "s.": "sidan", "sid.": "sidan", "kap.": "kapitel",
              "fig.": "figur", "#": "nummer"},
    scales={"mn": ("miljon", "miljoner"), "mkr": ("miljon kronor", "miljoner kronor"),
            "milj.": ("miljon", "miljoner"), "md": ("miljard", "miljarder"),
            "mdr": ("miljard", "miljarder"), "miljon": ("miljon", "miljoner"),
            "miljoner": ("miljon", "miljoner"), "miljarder": ("miljard", "miljarder")},
    cents={"SEK": ("öre", "öre"), "EUR": ("cent", "cent"), "USD": ("cent", "cent"),
           "GBP": ("penny", "pence")},
    cents_link="och",
    genders={"": "reale", "pund": "neuter", "gram": "neuter", "kilogram": "neuter",
             "milligram": "neuter",
             "öre": "neuter", "ton": "neuter"},
    fractions={"1/2": "en halv", "1/3": "en tredjedel", "2/3": "två tredjedelar",
               "1/4": "en fjärdedel",
               "3/4": "tre fjärdedelar", "1/5": "en femtedel", "1/10": "en tiondel", "½": "en halv",
               "¼": "en fjärdedel", "¾": "tre fjärdedelar"},
    date=_date,
    time=_time,
    year=year,
)  # fmt: skip
