"""German."""
# ruff: noqa: RUF001

import re

from app.text.spoken.general.words import Words
from app.text.spoken.icu import month_name
from app.text.spoken.numbers import cardinal, ordinal
from app.text.spoken.numbers import year as spoken_year
from app.text.spoken.roman import ROMAN, value_of
from app.text.spoken.rules import Rule, rule, written

_WITH_N = (
    "am", "im", "vom", "zum", "zur", "beim", "den", "dem", "des", "seit", "ab", "bis", "einem",
    "einer", "eines", "einen", "diesem", "diesen", "dieser", "jedem", "jeden", "ihrem", "ihren",
    "seinem", "seinen", "meinem", "meinen", "unserem", "unseren", "deren", "ins",
)  # fmt: skip
_WITH_E = ("der", "die", "das", "eine", "diese", "dieses", "jede", "jedes")


def inflected(number: int, before: str) -> str:
    """With the ending that the word before it asks for: am vierundzwanzigsten."""
    ending = "n" if before in _WITH_N else "" if before in _WITH_E else "r"
    return ordinal(number, "de") + ending


def year(number: int) -> str:
    return spoken_year(number, "de") if number < 2000 else cardinal(number, "de")


def _date(day: int, month: int, full_year: int | None, before: str) -> str:
    said = f"{inflected(day, before)} {month_name(month, 'de')}"
    return f"{said} {year(full_year)}" if full_year else said


def _time(hour: int, minute: int, second: int | None) -> str:
    hours = "ein" if hour == 1 else cardinal(hour, "de")
    said = f"{hours} Uhr {cardinal(minute, 'de')}" if minute else f"{hours} Uhr"
    return f"{said} und {cardinal(second, 'de')} Sekunden" if second else said


def _say_ordinal(match: re.Match[str]) -> str:
    return inflected(int(match["number"]), match["before"].lower())


def _say_ruler(match: re.Match[str]) -> str:
    said = ordinal(value_of(match["roman"]), "de").capitalize()
    return f"der {said}"


def _say_number(match: re.Match[str]) -> str:
    return cardinal(value_of(match["roman"]), "de")


def _say_oclock(match: re.Match[str]) -> str:
    return _time(int(match["hour"]), int(written(match, "minute") or 0), None)


def _say_decade(match: re.Match[str]) -> str:
    decade = match["decade"]
    return f"{year(int(decade)) if len(decade) == 4 else cardinal(int(decade), 'de')}er"


_DAYS = {"Mo": "Montag", "Di": "Dienstag", "Mi": "Mittwoch", "Do": "Donnerstag", "Fr": "Freitag",
         "Sa": "Samstag", "So": "Sonntag"}  # fmt: skip


def _say_days(match: re.Match[str]) -> str:
    return _ended(f"{_DAYS[match['from']]} bis {_DAYS[match['till']]}", match)


def _say_day(match: re.Match[str]) -> str:
    return _ended(_DAYS[match["day"]], match)


def _say_woman(match: re.Match[str]) -> str:
    return "Frau"


def _say_street(match: re.Match[str]) -> str:
    return _ended("straße", match)


def _ended(said: str, match: re.Match[str]) -> str:
    """With the stop of the text's last abbreviation."""
    is_last = match[0].endswith(".") and not match.string[match.end() :].strip()
    return f"{said}." if is_last else said


_DAY = f"(?:{'|'.join(_DAYS)})"
_BEFORE = "|".join((*_WITH_N, *_WITH_E, "ein", "sein", "ihr", "mein", "Ihr"))
RULES: tuple[Rule, ...] = (
    rule(r"(?<![\w:.,])(?P<hour>[01]?\d|2[0-4])(?:[:.](?P<minute>[0-5]\d))?\sUhr\b", _say_oclock),
    rule(
        rf"(?i:\b(?P<before>{_BEFORE}))\s(?P<form>(?P<number>\d{{1,3}})\.)(?=\s?[^\W\d])",
        _say_ordinal,
    ),
    rule(
        rf"\b(?:[A-ZÄÖÜ][a-zäöü]+)\s(?P<form>{ROMAN}\.)(?=\s[a-zäöü]|\s*(?:$|\n)|[,;:])",
        _say_ruler,
    ),
    rule(
        rf"\b(?:Kapitel|Teil|Band|Akt|Weltkrieg|Artikel|Abschnitt|Buch)\s(?P<form>{ROMAN})(?!\w)",
        _say_number,
    ),
    rule(
        rf"""(?<![\w.])(?P<from>{_DAY})\.?\s?[-–—]\s?(?P<till>{_DAY})(?:\.|(?!\w))(?!\w)""",
        _say_days,
    ),
    rule(rf"(?<![\w.])(?P<day>{_DAY})\.(?=,?\s?[\d\0]|\s(?:und|oder|bis)\s{_DAY}\b)", _say_day),
    rule(rf"(?<![\w.])(?P<day>{_DAY})(?=\s\0)", _say_day),
    rule(
        rf"\b(?:[Aa]m|[Jj]eden|und|oder|bis|[Vv]om|[Aa]b)\s(?P<form>(?P<day>{_DAY})\.)(?!\w)",
        _say_day,
    ),
    rule(r"(?<![\w.])Fr\.(?=\s[A-ZÄÖÜ][a-zäöüß])", _say_woman),
    rule(r"(?<=[a-zäöüß])str\.(?!\w)", _say_street),
    rule(r"(?<![\w.,])(?P<decade>1[1-9]\d0|20\d0|[2-9]0)er\b", _say_decade),
)
WORDS = Words(
    language="de",
    point="Komma",
    degrees="Grad",
    to="bis",
    ratio="zu",
    by="mal",
    times="mal",
    over="durch",
    signs={"+": "plus", "-": "minus", "\N{MINUS SIGN}": "minus", "*": "mal", "×": "mal", "·": "mal",
           "/": "durch", ":": "geteilt durch", "÷": "geteilt durch", "=": "gleich",
           "<": "kleiner als",
           ">": "größer als", "≤": "kleiner gleich", "≥": "größer gleich", "≠": "ungleich",
           "≈": "ungefähr gleich", "±": "plus minus"},
    marks={"&": "und", "§": "Paragraf", "%": "Prozent", "+": "plus", "=": "gleich", "@": "at",
           "#": "Raute", "€": "Euro", "$": "Dollar", "°": "Grad", "_": "Unterstrich",
           "©": "Copyright",
           "™": "", "®": "", "№": "Nummer", "→": "nach", "×": "mal", "~": "ungefähr"},
    address={".": "Punkt", "@": "at", "/": "Schrägstrich", "-": "Bindestrich", "_": "Unterstrich",
             "?": "Fragezeichen", "=": "gleich", "&": "und", "#": "Raute", ":": "Doppelpunkt",
             "+": "plus", "%": "Prozent", "~": "Tilde"},
    abbreviations={
        "z. B.": "zum Beispiel", "z.B.": "zum Beispiel", "d. h.": "das heißt", "d.h.": "das heißt",
        "u. a.": "unter anderem", "u.a.": "unter anderem", "usw.": "und so weiter",
        "bzw.": "beziehungsweise", "ca.": "circa", "Dr.": "Doktor", "Prof.": "Professor",
        "Hr.": "Herr", "etc.": "et cetera", "ggf.": "gegebenenfalls",
        "inkl.": "inklusive", "exkl.": "exklusive", "vgl.": "vergleiche", "St.": "Sankt",
        "evtl.": "eventuell", "max.": "maximal", "min.": "minimal", "Tel.": "Telefon",
        "Str.": "Straße", "str.": "straße", "Abb.": "Abbildung", "Mio.": "Millionen",
        "Mrd.": "Milliarden", "v. Chr.": "vor Christus", "n. Chr.": "nach Christus",
        "o. Ä.": "oder Ähnliches",
        "m. E.": "meines Erachtens", "z. T.": "zum Teil", "u. U.": "unter Umständen",
        "s. o.": "siehe oben", "s. u.": "siehe unten", "MwSt.": "Mehrwertsteuer",
        "MwSt": "Mehrwertsteuer", "u. Ä.": "und Ähnliches",
        "zzgl.": "zuzüglich", "bes.": "besonders", "geb.": "geboren",
        "gest.": "gestorben", "i. d. R.": "in der Regel", "usf.": "und so fort",
        "sog.": "sogenannt",
        "allg.": "allgemein", "Std.": "Stunden", "Min.": "Minuten", "Sek.": "Sekunden",
        "Nr.": "Nummer", "Jh.": "Jahrhundert", "Kap.": "Kapitel", "Bd.": "Band", "S.": "Seite",
        "ADAC": "A D A C", "BMW": "B M W", "CDU": "C D U", "DNA": "D N A", "EU": "E U",
        "GmbH": "G M B H",
        "LKW": "L K W", "Lkw": "L K W", "PKW": "P K W", "Pkw": "P K W", "SPD": "S P D",
        "USA": "U S A",
        "USB": "U S B", "UNO": "UNO", "ZDF": "Z D F", "ARD": "A R D", "AG": "A G", "PDF": "P D F",
        "TV": "T V", "PC": "P C", "UN": "U N", "FC": "F C", "FBI": "F B I", "KI": "K I",
        "IT": "I T",
    },
    numbered={"Nr.": "Nummer", "S.": "Seite", "Abb.": "Abbildung", "Kap.": "Kapitel", "Bd.": "Band",
              "Art.": "Artikel", "Abs.": "Absatz", "Ziff.": "Ziffer", "#": "Nummer"},
    scales={"Mio.": ("Million", "Millionen"), "Mio": ("Million", "Millionen"),
            "Mrd.": ("Milliarde", "Milliarden"), "Mrd": ("Milliarde", "Milliarden"),
            "Tsd.": ("tausend", "tausend"), "Million": ("Million", "Millionen"),
            "Millionen": ("Million", "Millionen"), "Milliarde": ("Milliarde", "Milliarden"),
            "Milliarden": ("Milliarde", "Milliarden"), "Billionen": ("Billion", "Billionen")},
    cents={"": ("",)},
    genders={"": "masculine", "Million": "feminine", "Milliarde": "feminine", "Billion": "feminine",
             "Krone": "feminine", "Rupie": "feminine", "Stunde": "feminine", "Minute": "feminine",
             "Sekunde": "feminine", "Tonne": "feminine", "Meile": "feminine", "Lira": "feminine",
             "Kilowattstunde": "feminine", "Unze": "feminine", "Kilokalorie": "feminine"},
    fractions={"1/2": "ein halb", "1/3": "ein Drittel", "2/3": "zwei Drittel", "1/4": "ein Viertel",
               "3/4": "drei Viertel", "1/5": "ein Fünftel", "1/8": "ein Achtel",
               "1/10": "ein Zehntel",
               "½": "ein halb", "¼": "ein Viertel", "¾": "drei Viertel", "⅓": "ein Drittel",
               "⅔": "zwei Drittel"},
    date=_date,
    time=_time,
    clock={"um": "um", "gegen": "gegen", "ab": "ab"},
    year=year,
)  # fmt: skip
