"""Malay. The marks of an address have the English names that Malaysians say."""
# ruff: noqa: RUF001

import re

from app.text.spoken.general.clock import date_with, time_with
from app.text.spoken.general.ordinals import rulers
from app.text.spoken.general.words import Words
from app.text.spoken.numbers import cardinal, ordinal
from app.text.spoken.roman import ROMAN, value_of
from app.text.spoken.rules import Rule, rule


def _say_ordinal(match: re.Match[str]) -> str:
    said = ordinal(int(match["number"]), "ms")
    return said.capitalize() if match[0][0] == "K" else said


def _say_ruler(number: int, name: str) -> str:
    return ordinal(number, "ms")


def _say_chapter(match: re.Match[str]) -> str:
    return cardinal(value_of(match["roman"]), "ms")


_RULERS = ("Perang Dunia", "Elizabeth", "George", "Henry", "Louis", "Charles", "William",
           "Edward", "Paul", "Mehmed", "Mahmud")  # fmt: skip
RULES: tuple[Rule, ...] = (
    rule(r"(?<!\w)[Kk]e-(?P<number>\d{1,4})(?!\w)", _say_ordinal),
    rulers(_RULERS, _say_ruler),
    rule(rf"\b(?:[Bb]ab|[Bb]ahagian|[Jj]ilid)\s(?P<form>{ROMAN})(?![\w-])", _say_chapter),
)
WORDS = Words(
    language="ms",
    decimal=".",
    groups=",",
    minus="negatif",
    to="hingga",
    by="darab",
    over="per",
    signs={"+": "tambah", "-": "tolak", "\N{MINUS SIGN}": "tolak", "*": "darab", "×": "darab",
           "·": "darab", "x": "darab", "/": "bahagi", ":": "bahagi", "÷": "bahagi",
           "=": "sama dengan"},
    marks={"&": "dan", "%": "peratus", "+": "tambah", "=": "sama dengan", "@": "at"},
    address={".": "dot", "@": "at", "/": "slash", "-": "sempang", "_": "garis bawah",
             "?": "tanda soal", "=": "sama dengan", "&": "dan", "#": "tanda pagar",
             ":": "titik bertindih", "+": "tambah", "%": "peratus"},
    abbreviations={
        "dll.": "dan lain-lain", "dsb.": "dan sebagainya", "yg": "yang", "dgn": "dengan",
        "utk": "untuk", "En.": "Encik", "Pn.": "Puan", "Dr.": "Doktor", "Prof.": "Profesor",
        "Hj.": "Haji", "Hjh.": "Hajah", "Jln.": "Jalan", "tel.": "telefon", "Tel.": "Telefon",
        "hlm.": "halaman", "cth.": "contoh", "mis.": "misalnya", "spt.": "seperti",
    },
    numbered={"No.": "nombor", "no.": "nombor", "hlm.": "halaman", "ms.": "muka surat",
              "#": "nombor"},
    scales={"juta": ("juta", "juta"), "bilion": ("bilion", "bilion"), "ribu": ("ribu", "ribu")},
    cents={"": ("",), "MYR": ("sen", "sen")},
    date=date_with("ms", " "),
    time=time_with("ms"),
)  # fmt: skip
