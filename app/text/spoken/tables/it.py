"""Italian."""
# ruff: noqa: RUF001

import re

from app.text.spoken.general.clock import date_with, time_with
from app.text.spoken.general.ordinals import rulers
from app.text.spoken.general.words import Words
from app.text.spoken.numbers import ordinal
from app.text.spoken.roman import ROMAN, value_of
from app.text.spoken.rules import Rule, rule


def _say_ordinal(match: re.Match[str]) -> str:
    return ordinal(int(match["number"]), "it", "-feminine" if match["suffix"] == "ª" else "")


def _say_ruler(number: int, name: str) -> str:
    return ordinal(number, "it", "-feminine" if name in _QUEENS else "")


def _say_roman(match: re.Match[str]) -> str:
    return ordinal(value_of(match["roman"]), "it")


_QUEENS = ("Elisabetta", "Caterina", "Margherita", "Cristina", "Isabella")
_KINGS = (
    "Luigi",
    "Carlo",
    "Enrico",
    "Vittorio Emanuele",
    "Umberto",
    "Filippo",
    "Federico",
    "Giovanni Paolo",
    "Giovanni",
    "Benedetto",
    "Leone",
    "Paolo",
    "Pio",
    "Alessandro",
    "Napoleone",
    "Giorgio",
    "Guglielmo",
    "Francesco",
    "Clemente",
    "Innocenzo",
    "Ferdinando",
)
RULES: tuple[Rule, ...] = (
    rule(
        r"(?<![\w.,])(?P<number>\d{1,3})(?P<suffix>º|ª|°(?=\s(?!(?:di|a|in|e|o|oggi|ieri|con|ma)\b)[a-z]))",
        _say_ordinal,
    ),
    rulers((*_QUEENS, *_KINGS), _say_ruler),
    rule(rf"(?<!\w){ROMAN}(?=\ssecolo\b)", _say_roman),
    rule(rf"(?<!\w)(?:[Ss]ecolo|[Cc]apitolo)\s(?P<form>{ROMAN})(?![\w-])", _say_roman),
)
WORDS = Words(
    language="it",
    minus="meno",
    degrees="gradi",
    to="a",
    ratio="a",
    by="per",
    times="volte",
    signs={"+": "più", "-": "meno", "\N{MINUS SIGN}": "meno", "*": "per", "×": "per", "·": "per",
           "x": "per", "/": "diviso", ":": "diviso", "÷": "diviso", "=": "uguale"},
    marks={"&": "e", "§": "paragrafo", "%": "per cento", "+": "più", "=": "uguale",
           "@": "chiocciola"},
    address={".": "punto", "@": "chiocciola", "/": "barra", "-": "trattino",
             "_": "trattino basso", "?": "punto interrogativo", "=": "uguale", "&": "e",
             "#": "cancelletto", ":": "due punti", "+": "più", "%": "per cento"},
    abbreviations={
        "sig.": "signor", "Sig.": "Signor", "sig.ra": "signora", "Sig.ra": "Signora",
        "sig.na": "signorina", "dott.": "dottor", "dott.ssa": "dottoressa",
        "Dott.ssa": "Dottoressa", "prof.": "professor", "prof.ssa": "professoressa",
        "Prof.ssa": "Professoressa", "ing.": "ingegner", "avv.": "avvocato", "ecc.": "eccetera",
        "ad es.": "ad esempio", "per es.": "per esempio", "p. es.": "per esempio",
        "pag.": "pagina", "pagg.": "pagine", "tel.": "telefono", "a.C.": "avanti Cristo",
        "d.C.": "dopo Cristo", "ca.": "circa", "S.p.A.": "società per azioni",
        "cfr.": "confronta", "art.": "articolo", "cap.": "capitolo", "vol.": "volume",
        "fig.": "figura", "c.so": "corso", "C.so": "Corso", "p.zza": "piazza",
        "P.zza": "Piazza", "v.le": "viale", "V.le": "Viale", "max.": "massimo",
    },
    numbered={"n.": "numero", "n°": "numero", "pag.": "pagina", "p.": "pagina", "art.": "articolo",
              "cap.": "capitolo", "fig.": "figura", "vol.": "volume", "#": "numero"},
    scales={"mln": ("milione", "milioni"), "mld": ("miliardo", "miliardi"),
            "milione": ("milione", "milioni"), "milioni": ("milione", "milioni"),
            "miliardo": ("miliardo", "miliardi"), "miliardi": ("miliardo", "miliardi")},
    scale_link="di ",
    cents={"": ("",)},
    cents_link="e",
    genders={"milione": "masculine", "miliardo": "masculine", "euro": "masculine"},
    date=date_with("it", " ", "primo"),
    time=time_with("it"),
    clock={"ore": "ore", "alle": "alle", "dalle": "dalle", "alle ore": "alle ore"},
)  # fmt: skip
