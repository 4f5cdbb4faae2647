"""Danish."""
# ruff: noqa: RUF001

from app.text.spoken.general.clock import date_of_ordinals, time_with
from app.text.spoken.general.ordinals import dotted_ordinals, rulers
from app.text.spoken.general.words import Words
from app.text.spoken.numbers import ordinal
from app.text.spoken.rules import Rule


def _say_ruler(number: int, name: str) -> str:
    return f"den {ordinal(number, 'da', '-common')}"


_RULERS = ("Christian", "Frederik", "Margrethe", "Valdemar", "Erik", "Hans", "Ludvig", "Henrik",
           "Karl", "Elizabeth", "Elisabeth", "Gustav", "Johannes Paul")  # fmt: skip
RULES: tuple[Rule, ...] = (dotted_ordinals("da", "-common"), rulers(_RULERS, _say_ruler))
WORDS = Words(
    language="da",
    to="til",
    ratio="til",
    by="gange",
    times="gange",
    signs={"+": "plus", "-": "minus", "\N{MINUS SIGN}": "minus", "*": "gange", "×": "gange",
           "·": "gange", "x": "gange", "/": "divideret med", ":": "divideret med",
           "÷": "divideret med", "=": "er lig med"},
    marks={"&": "og", "§": "paragraf", "%": "procent", "+": "plus", "=": "er lig med",
           "@": "snabel-a"},
    address={".": "punktum", "@": "snabel-a", "/": "skråstreg", "-": "bindestreg",
             "_": "understreg", "?": "spørgsmålstegn", "=": "lig med", "&": "og",
             "#": "havelåge", ":": "kolon", "+": "plus", "%": "procent"},
    abbreviations={
        "f.eks.": "for eksempel", "bl.a.": "blandt andet", "osv.": "og så videre", "ca.": "cirka",
        "dvs.": "det vil sige", "kl.": "klokken", "nr.": "nummer", "tlf.": "telefon",
        "m.m.": "med mere", "inkl.": "inklusive", "ekskl.": "eksklusive", "dr.": "doktor",
        "Dr.": "Doktor", "hr.": "herr", "jf.": "jævnfør", "pga.": "på grund af",
        "mht.": "med hensyn til", "f.Kr.": "før Kristus", "e.Kr.": "efter Kristus",
        "evt.": "eventuelt", "maks.": "maksimalt", "prof.": "professor", "mfl.": "med flere",
        "m.fl.": "med flere",
    },
    numbered={"nr.": "nummer", "s.": "side", "kap.": "kapitel", "fig.": "figur", "#": "nummer"},
    scales={"mio.": ("million", "millioner"), "mia.": ("milliard", "milliarder"),
            "million": ("million", "millioner"), "millioner": ("million", "millioner"),
            "milliard": ("milliard", "milliarder"), "milliarder": ("milliard", "milliarder")},
    cents={"": ("",)},
    genders={"krone": "common", "euro": "common", "million": "common", "milliard": "common"},
    date=date_of_ordinals("da", "-common"),
    time=time_with("da"),
    clock={"kl.": "klokken", "kl": "klokken", "klokken": "klokken"},
)  # fmt: skip
