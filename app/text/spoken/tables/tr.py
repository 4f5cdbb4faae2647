"""Turkish. A suffix behind an apostrophe stays as it is written."""
# ruff: noqa: RUF001

import re

from app.text.spoken.general.clock import date_with, time_with
from app.text.spoken.general.ordinals import dotted_ordinals
from app.text.spoken.general.words import Words
from app.text.spoken.numbers import ordinal
from app.text.spoken.roman import ROMAN, value_of
from app.text.spoken.rules import Rule, rule


def _say_ordinal(match: re.Match[str]) -> str:
    return ordinal(int(match["number"]), "tr")


def _say_roman(match: re.Match[str]) -> str:
    return ordinal(value_of(match["roman"]), "tr")


_NAMES = ("Mehmed|Mehmet|Murad|Murat|Selim|Süleyman|Abdülhamid|Mahmud|Mustafa|Osman|Ahmed|Bayezid|"
          "Elizabeth|Louis|Nikolay|Katerina|Dünya|Wilhelm|Henry|Charles|Justinianus")  # fmt: skip
RULES: tuple[Rule, ...] = (
    rule(r"(?<![\w.,])(?P<number>\d{1,4})['’]?(?:[iıuü]?nc[iıuü])(?!\w)", _say_ordinal),
    dotted_ordinals("tr"),
    rule(rf"(?<![\w.])(?P<form>{ROMAN}\.)(?=\s(?:{_NAMES}|[Yy]üzyıl))", _say_roman),
)
WORDS = Words(
    language="tr",
    minus="eksi",
    degrees="derece",
    to="ila",
    by="çarpı",
    over="bölü",
    signs={"+": "artı", "-": "eksi", "\N{MINUS SIGN}": "eksi", "*": "çarpı", "×": "çarpı",
           "·": "çarpı", "x": "çarpı", "/": "bölü", ":": "bölü", "÷": "bölü", "=": "eşittir"},
    marks={"&": "ve", "+": "artı", "=": "eşittir", "@": "et"},
    address={".": "nokta", "@": "et", "/": "eğik çizgi", "-": "tire", "_": "alt çizgi",
             "?": "soru işareti", "=": "eşittir", "&": "ve", "#": "kare", ":": "iki nokta",
             "+": "artı", "%": "yüzde"},
    abbreviations={
        "vb.": "ve benzeri", "vs.": "vesaire", "örn.": "örneğin", "Dr.": "Doktor",
        "Prof.": "Profesör", "Doç.": "Doçent", "Sn.": "Sayın", "Av.": "Avukat",
        "Cad.": "Caddesi", "Sok.": "Sokağı", "Mah.": "Mahallesi", "yy.": "yüzyıl",
        "M.Ö.": "milattan önce", "M.S.": "milattan sonra", "bkz.": "bakınız",
        "yak.": "yaklaşık", "tel.": "telefon", "Tel.": "telefon", "T.C.": "Türkiye Cumhuriyeti",
        "A.Ş.": "anonim şirketi", "Ltd. Şti.": "limited şirketi",
    },
    numbered={"No:": "numara", "No.": "numara", "no.": "numara", "s.": "sayfa", "#": "numara"},
    scales={"milyon": ("milyon", "milyon"), "milyar": ("milyar", "milyar"),
            "mn": ("milyon", "milyon"), "mr": ("milyar", "milyar"), "bin": ("bin", "bin")},
    cents={"": ("",)},
    date=date_with("tr", " "),
    time=time_with("tr"),
    clock={"saat": "saat"},
)  # fmt: skip
