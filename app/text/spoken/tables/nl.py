"""Dutch."""
# ruff: noqa: RUF001

import re

from app.text.spoken.general.clock import date_with, time_with
from app.text.spoken.general.ordinals import rulers
from app.text.spoken.general.words import Words
from app.text.spoken.numbers import ordinal
from app.text.spoken.roman import ROMAN, value_of
from app.text.spoken.rules import Rule, rule


def _say_ordinal(match: re.Match[str]) -> str:
    return ordinal(int(match["number"]), "nl")


def _say_roman_ordinal(match: re.Match[str]) -> str:
    return ordinal(value_of(match["roman"]), "nl")


def _say_ruler(number: int, name: str) -> str:
    return f"de {ordinal(number, 'nl')}"


_RULERS = ("Willem", "Lodewijk", "Karel", "Hendrik", "Filips", "Leopold", "Boudewijn", "Albert",
           "Frederik", "Napoleon", "Elizabeth", "Catharina", "Johannes Paulus", "Johannes",
           "Benedictus", "George", "Paulus", "Pius")  # fmt: skip
RULES: tuple[Rule, ...] = (
    rule(r"(?<![\w.,])(?P<number>\d{1,4})(?:e|de|ste)(?!\w)", _say_ordinal),
    rule(rf"(?<!\w){ROMAN}e(?=\seeuw)", _say_roman_ordinal),
    rulers(_RULERS, _say_ruler),
)
WORDS = Words(
    language="nl",
    minus="min",
    to="tot",
    by="bij",
    times="keer",
    signs={"+": "plus", "-": "min", "\N{MINUS SIGN}": "min", "*": "keer", "×": "keer",
           "·": "keer", "x": "keer", "/": "gedeeld door", ":": "gedeeld door",
           "÷": "gedeeld door", "=": "is"},
    marks={"&": "en", "%": "procent", "+": "plus", "=": "is", "@": "apenstaartje"},
    address={".": "punt", "@": "apenstaartje", "/": "schuine streep", "-": "streepje",
             "_": "underscore", "?": "vraagteken", "=": "is", "&": "en", "#": "hekje",
             ":": "dubbele punt", "+": "plus", "%": "procent"},
    abbreviations={
        "bijv.": "bijvoorbeeld", "bv.": "bijvoorbeeld", "enz.": "enzovoort",
        "o.a.": "onder andere", "d.w.z.": "dat wil zeggen", "m.b.t.": "met betrekking tot",
        "i.v.m.": "in verband met", "t.o.v.": "ten opzichte van", "ca.": "circa",
        "nr.": "nummer", "blz.": "bladzijde", "dhr.": "de heer", "mevr.": "mevrouw",
        "dr.": "doctor", "Dr.": "Doctor", "prof.": "professor", "ir.": "ingenieur",
        "t/m": "tot en met", "a.u.b.": "alstublieft", "v.Chr.": "voor Christus",
        "n.Chr.": "na Christus", "e.d.": "en dergelijke", "t.a.v.": "ter attentie van",
        "i.p.v.": "in plaats van", "max.": "maximaal", "incl.": "inclusief", "excl.": "exclusief",
        "tel.": "telefoon", "St.": "Sint", "m.a.w.": "met andere woorden",
        "a.s.": "aanstaande", "jl.": "jongstleden",
    },
    numbered={"nr.": "nummer", "blz.": "bladzijde", "p.": "pagina", "hfst.": "hoofdstuk",
              "fig.": "figuur", "art.": "artikel", "#": "nummer"},
    scales={"mln.": ("miljoen", "miljoen"), "mln": ("miljoen", "miljoen"),
            "mld.": ("miljard", "miljard"), "mld": ("miljard", "miljard"),
            "miljoen": ("miljoen", "miljoen"), "miljard": ("miljard", "miljard")},
    cents={"": ("",)},
    date=date_with("nl", " "),
    time=time_with("nl", " uur"),
)  # fmt: skip
