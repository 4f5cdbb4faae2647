"""Norwegian (bokmål)."""
# ruff: noqa: RUF001

from app.text.spoken.general.clock import date_of_ordinals, time_with
from app.text.spoken.general.ordinals import dotted_ordinals, rulers
from app.text.spoken.general.words import Words
from app.text.spoken.numbers import ordinal
from app.text.spoken.rules import Rule


def _say_ruler(number: int, name: str) -> str:
    return f"den {ordinal(number, 'no')}"


_RULERS = ("Harald", "Olav", "Haakon", "Håkon", "Christian", "Frederik", "Karl", "Erik", "Magnus",
           "Ludvig", "Henrik", "Elizabeth", "Elisabeth", "Margrethe", "Gustav",
           "Johannes Paul")  # fmt: skip
RULES: tuple[Rule, ...] = (dotted_ordinals("no"), rulers(_RULERS, _say_ruler))
WORDS = Words(
    language="no",
    to="til",
    ratio="til",
    by="ganger",
    times="ganger",
    signs={"+": "pluss", "-": "minus", "\N{MINUS SIGN}": "minus", "*": "ganger", "×": "ganger",
           "·": "ganger", "x": "ganger", "/": "delt på", ":": "delt på", "÷": "delt på",
           "=": "er lik"},
    marks={"&": "og", "§": "paragraf", "%": "prosent", "+": "pluss", "=": "er lik",
           "@": "krøllalfa"},
    address={".": "punktum", "@": "krøllalfa", "/": "skråstrek", "-": "bindestrek",
             "_": "understrek", "?": "spørsmålstegn", "=": "er lik", "&": "og", "#": "nummertegn",
             ":": "kolon", "+": "pluss", "%": "prosent"},
    abbreviations={
        "f.eks.": "for eksempel", "bl.a.": "blant annet", "osv.": "og så videre", "ca.": "cirka",
        "dvs.": "det vil si", "kl.": "klokka", "nr.": "nummer", "tlf.": "telefon",
        "m.m.": "med mer", "inkl.": "inkludert", "dr.": "doktor", "Dr.": "Doktor", "hr.": "herr",
        "jf.": "jamfør", "pga.": "på grunn av", "mht.": "med hensyn til", "f.Kr.": "før Kristus",
        "e.Kr.": "etter Kristus", "evt.": "eventuelt", "maks.": "maksimalt", "prof.": "professor",
        "m.fl.": "med flere", "o.l.": "og lignende",
    },
    numbered={"nr.": "nummer", "s.": "side", "kap.": "kapittel", "fig.": "figur", "#": "nummer"},
    scales={"mill.": ("million", "millioner"), "mrd.": ("milliard", "milliarder"),
            "million": ("million", "millioner"), "millioner": ("million", "millioner"),
            "milliard": ("milliard", "milliarder"), "milliarder": ("milliard", "milliarder")},
    cents={"": ("",)},
    date=date_of_ordinals("no"),
    time=time_with("no"),
    clock={"kl.": "klokka", "kl": "klokka", "klokka": "klokka", "klokken": "klokken"},
)  # fmt: skip
