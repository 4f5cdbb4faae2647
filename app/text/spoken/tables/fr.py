"""French."""
# ruff: noqa: RUF001

import re

from app.text.spoken.general.words import Words
from app.text.spoken.icu import month_name
from app.text.spoken.numbers import cardinal, ordinal
from app.text.spoken.roman import ROMAN, value_of
from app.text.spoken.rules import Rule, rule, written


def _date(day: int, month: int, year: int | None, before: str) -> str:
    said = f"{'premier' if day == 1 else cardinal(day, 'fr')} {month_name(month, 'fr')}"
    return f"{said} {cardinal(year, 'fr')}" if year else said


def _time(hour: int, minute: int, second: int | None) -> str:
    hours = f"{cardinal(hour, 'fr', 'feminine')} {'heure' if hour < 2 else 'heures'}"
    said = f"{hours} {cardinal(minute, 'fr', 'feminine')}" if minute else hours
    return f"{said} et {cardinal(second, 'fr', 'feminine')} secondes" if second else said


def _say_hours(match: re.Match[str]) -> str:
    return _time(int(match["hour"]), int(written(match, "minute") or 0), None)


def _say_ordinal(match: re.Match[str]) -> str:
    number = int(match["number"]) if match["number"] else value_of(match["roman"])
    suffix = match["suffix"]
    if number == 1:
        return ordinal(1, "fr", "-feminine" if suffix.startswith(("re", "ère")) else "")
    plural = "s" if suffix.endswith("s") else ""
    return ordinal(number, "fr") + plural


def _say_ruler(match: re.Match[str]) -> str:
    return cardinal(value_of(match["roman"]), "fr")


def _say_pairs(match: re.Match[str]) -> str:
    """A French number is said in pairs."""
    pairs = re.findall(r"\d+", match[0])
    return ", ".join(
        f"zéro {cardinal(int(pair), 'fr')}" if pair[0] == "0" else cardinal(int(pair), "fr")
        for pair in pairs
    )


_KINGS = (
    "Louis|Henri|Charles|François|Napoléon|Philippe|Jean-Paul|Benoît|Pie|Élisabeth|Elizabeth|"
    "Catherine|Georges?|Édouard|Guillaume|Léopold|Albert|Jean|Paul|Grégoire|Chapitre|Tome|Volume|"
    "chapitre|tome|volume|Partie|partie|Acte|acte|Guerre\\smondiale"
)
RULES: tuple[Rule, ...] = (
    rule(r"(?<![\w.,-])0\d(?:[\s.-]\d\d){4}(?![\w-])", _say_pairs),
    rule(
        r"""(?<![\w:.,])(?P<hour>[01]?\d|2[0-4])\s?(?:h|H|heures?)\s?(?P<minute>[0-5]\d)?
        (?!\w)(?!\s?/\w|\s?-[^\W\d])""",
        _say_hours,
    ),
    rule(
        rf"""(?<![\w.,])(?:(?P<number>\d{{1,4}})|{ROMAN})
        (?P<suffix>ers?|res?|ères?|èmes?|emes?|es?|nde?s?|ᵉ|ᵉʳ)(?!\w)""",
        _say_ordinal,
    ),
    rule(rf"\b(?:{_KINGS})\s(?P<form>{ROMAN})(?![\w-]|['’])", _say_ruler),
)
WORDS = Words(
    language="fr",
    groups="\N{NO-BREAK SPACE}\N{NARROW NO-BREAK SPACE} .",
    point="",
    minus="moins",
    degrees="degrés",
    to="à",
    ratio="à",
    by="sur",
    times="fois",
    over="sur",
    signs={"+": "plus", "-": "moins", "\N{MINUS SIGN}": "moins", "*": "fois", "×": "fois",
           "·": "fois",
           "x": "fois", "/": "divisé par", "÷": "divisé par", "=": "égale", "<": "inférieur à",
           ">": "supérieur à", "≤": "inférieur ou égal à", "≥": "supérieur ou égal à",
           "≠": "différent de", "≈": "environ égal à", "±": "plus ou moins"},
    marks={"&": "et", "§": "paragraphe", "%": "pour cent", "+": "plus", "=": "égale",
           "@": "arobase",
           "#": "dièse", "€": "euros", "$": "dollars", "°": "degrés", "_": "tiret bas",
           "©": "copyright", "™": "", "®": "", "№": "numéro", "→": "vers", "~": "environ"},
    address={".": "point", "@": "arobase", "/": "slash", "-": "tiret", "_": "tiret bas",
             "?": "point d'interrogation", "=": "égale", "&": "et", "#": "dièse",
             ":": "deux points",
             "+": "plus", "%": "pour cent", "~": "tilde"},
    abbreviations={
        "M.": "monsieur", "MM.": "messieurs", "Mme": "madame", "Mmes": "mesdames",
        "Mlle": "mademoiselle",
        "Dr": "docteur", "Dr.": "docteur", "Pr": "professeur", "Me": "maître", "Mgr": "monseigneur",
        "etc.": "et cetera", "p. ex.": "par exemple", "c.-à-d.": "c'est-à-dire",
        "c-à-d": "c'est-à-dire",
        "av. J.-C.": "avant Jésus-Christ", "apr. J.-C.": "après Jésus-Christ", "St": "saint",
        "Ste": "sainte", "bd": "boulevard", "Bd": "boulevard", "av.": "avenue", "Av.": "avenue",
        "env.": "environ", "max.": "maximum", "min.": "minimum", "tél.": "téléphone",
        "Tél.": "téléphone", "hab.": "habitants", "cf.": "confer", "vs": "versus", "vs.": "versus",
        "SVP": "s'il vous plaît", "svp": "s'il vous plaît", "RDV": "rendez-vous",
        "rdv": "rendez-vous",
        "n°": "numéro", "N°": "numéro", "nº": "numéro", "J.-C.": "Jésus-Christ", "Cie": "compagnie",
        "SNCF": "S N C F", "TGV": "T G V", "TVA": "T V A", "USA": "U S A", "UE": "U E",
        "PDF": "P D F",
        "ADN": "A D N", "PDG": "P D G", "BNP": "B N P", "ONG": "O N G", "EDF": "E D F",
        "RATP": "R A T P",
        "TV": "T V", "USB": "U S B", "FBI": "F B I", "URL": "U R L", "HLM": "H L M", "CV": "C V",
        "PC": "P C",
    },
    numbered={"n°": "numéro", "N°": "numéro", "nº": "numéro", "no": "numéro", "p.": "page",
              "pp.": "pages",
              "chap.": "chapitre", "fig.": "figure", "vol.": "volume", "art.": "article",
              "#": "numéro"},
    scales={"M": ("million", "millions"), "Md": ("milliard", "milliards"),
            "Mds": ("milliard", "milliards"),
            "million": ("million", "millions"), "millions": ("million", "millions"),
            "milliard": ("milliard", "milliards"), "milliards": ("milliard", "milliards")},
    scale_link="de ",
    scale_link_vowel="d'",
    cents={"EUR": ("",), "USD": ("cent", "cents"), "GBP": ("penny", "pence"),
           "CHF": ("centime", "centimes")},
    genders={"": "masculine", "livre": "feminine", "livres": "feminine",
             "livre sterling": "feminine",
             "heure": "feminine", "minute": "feminine", "seconde": "feminine", "tonne": "feminine",
             "once": "feminine", "couronne suédoise": "feminine", "roupie indienne": "feminine"},
    fractions={"1/2": "un demi", "1/3": "un tiers", "2/3": "deux tiers", "1/4": "un quart",
               "3/4": "trois quarts", "1/5": "un cinquième", "1/10": "un dixième", "½": "un demi",
               "¼": "un quart", "¾": "trois quarts", "⅓": "un tiers", "⅔": "deux tiers"},
    date=_date,
    time=_time,
)  # fmt: skip
