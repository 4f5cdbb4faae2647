"""Portuguese."""
# ruff: noqa: RUF001

import re

from app.text.spoken.general.clock import date_with, time_with
from app.text.spoken.general.ordinals import rulers
from app.text.spoken.general.words import Words
from app.text.spoken.numbers import cardinal, ordinal
from app.text.spoken.roman import ROMAN, value_of
from app.text.spoken.rules import Rule, rule

_MAX_ORDINAL = 10  # of kings, popes and centuries


def _say_ordinal(match: re.Match[str]) -> str:
    return ordinal(int(match["number"]), "pt", "-feminine" if match["suffix"] == "ª" else "")


def _say_ruler(number: int, name: str) -> str:
    if number > _MAX_ORDINAL:
        return cardinal(number, "pt")
    return ordinal(number, "pt", "-feminine" if name in _QUEENS else "")


def _say_century(match: re.Match[str]) -> str:
    return _say_ruler(value_of(match["roman"]), "")


_QUEENS = ("Isabel", "Maria", "Catarina", "Margarida", "Cristina", "Elizabeth")
_KINGS = ("João Paulo", "João", "Pedro", "Luís", "Carlos", "Manuel", "Afonso", "Henrique",
          "Filipe", "Sancho", "Sebastião", "Bento", "Pio", "Paulo", "Jorge", "Napoleão",
          "Guilherme", "Leão")  # fmt: skip
RULES: tuple[Rule, ...] = (
    rule(
        r"(?<![\w.,])(?P<number>\d{1,3})\.?(?P<suffix>º|ª|°(?=\s(?!(?:de|a|em|e|ou|hoje|ontem|com|mas)\b)[a-z]))",
        _say_ordinal,
    ),
    rulers((*_QUEENS, *_KINGS), _say_ruler),
    rule(
        rf"\b(?:[Ss]éculos?|[Ss]éc\.|[Cc]apítulo)\s(?P<form>{ROMAN})(?![\w-])",
        _say_century,
    ),
)
WORDS = Words(
    language="pt",
    minus="menos",
    degrees="graus",
    to="a",
    ratio="a",
    by="por",
    times="vezes",
    signs={"+": "mais", "-": "menos", "\N{MINUS SIGN}": "menos", "*": "vezes", "×": "vezes",
           "·": "vezes", "x": "vezes", "/": "dividido por", ":": "dividido por",
           "÷": "dividido por", "=": "é igual a"},
    marks={"&": "e", "%": "por cento", "+": "mais", "=": "é igual a", "@": "arroba"},
    address={".": "ponto", "@": "arroba", "/": "barra", "-": "hífen", "_": "sublinhado",
             "?": "ponto de interrogação", "=": "igual", "&": "e", "#": "cerquilha",
             ":": "dois pontos", "+": "mais", "%": "por cento"},
    abbreviations={
        "Sr.": "senhor", "Sra.": "senhora", "Sr.ª": "senhora", "Dr.": "doutor",
        "Dra.": "doutora", "Prof.": "professor", "Profa.": "professora", "Eng.": "engenheiro",
        "etc.": "et cetera", "p. ex.": "por exemplo", "pág.": "página", "págs.": "páginas",
        "tel.": "telefone", "Tel.": "telefone", "av.": "avenida", "Av.": "Avenida",
        "a.C.": "antes de Cristo", "d.C.": "depois de Cristo", "Ltda.": "limitada",
        "aprox.": "aproximadamente", "máx.": "máximo", "mín.": "mínimo", "cap.": "capítulo",
        "vol.": "volume", "art.": "artigo", "séc.": "século", "EUA": "Estados Unidos",
        "núm.": "número", "nº": "número", "n.º": "número",
    },
    numbered={"n.º": "número", "nº": "número", "N.º": "número", "Nº": "número", "núm.": "número",
              "pág.": "página", "p.": "página", "cap.": "capítulo", "art.": "artigo",
              "fig.": "figura", "vol.": "volume", "#": "número"},
    scales={"milhão": ("milhão", "milhões"), "milhões": ("milhão", "milhões"),
            "bilhão": ("bilhão", "bilhões"), "bilhões": ("bilhão", "bilhões"),
            "mil milhões": ("mil milhões", "mil milhões"), "mil": ("mil", "mil")},
    scale_link="de ",
    cents={"": ("",)},
    cents_link="e",
    date=date_with("pt", " de ", "primeiro"),
    time=time_with("pt"),
    phones=r"\(\d\d\)\s?9?\d{4}-\d{4}",
)  # fmt: skip
