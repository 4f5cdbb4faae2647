"""Hebrew. A number before a noun that is not named here has the form of counting."""
# ruff: noqa: RUF001

import re

from app.text.spoken.general.clock import time_with
from app.text.spoken.general.words import Words
from app.text.spoken.icu import month_name
from app.text.spoken.numbers import cardinal, ordinal
from app.text.spoken.roman import ROMAN, value_of
from app.text.spoken.rules import Rule, alternatives, rule

_FEMININE = ("מאה", "פעם", "קומה", "שנה", "כיתה", "אליזבת", "מהדורה", "עונה")
_MASCULINE = ("יום", "מקום", "שבוע", "חודש", "פרק", "סיבוב", "לואי", "הנרי", "פיליפ", "קרל",
              "ג'ורג'", "גיל", "שלב")  # fmt: skip
_QUEENS, _KINGS = ("אליזבת",), ("לואי", "הנרי", "פיליפ", "קרל", "ג'ורג'")


def _date(day: int, month: int, year: int | None, before: str) -> str:
    days = "שניים" if day == 2 else cardinal(day, "he", "masculine")
    said = f"{days} {month_name(month, 'he')}"
    return f"{said} {cardinal(year, 'he')}" if year else said


def _the(number: int, noun: str) -> str:
    gender = "-feminine" if noun in (*_FEMININE, *_QUEENS) else ""
    return f"ה{ordinal(number, 'he', gender)}"


def _say_ordinal(match: re.Match[str]) -> str:
    return _the(int(match["number"]), match["noun"])


def _say_ruler(match: re.Match[str]) -> str:
    return _the(value_of(match["roman"]), match["name"])


_NOUN = alternatives((*_FEMININE, *_MASCULINE))
RULES: tuple[Rule, ...] = (
    # ה-20 behind its noun, with or without its own ה, ב, ל, מ
    rule(rf"(?<!\w)[הבלמש]?(?P<noun>{_NOUN})\s(?P<form>ה[-־](?P<number>\d{{1,3}}))(?!\w)",
         _say_ordinal),
    rule(rf"(?<!\w)(?P<name>{alternatives((*_QUEENS, *_KINGS))})\s(?P<form>{ROMAN})(?!\w)",
         _say_ruler),
)  # fmt: skip
_MARKED = {  # with the mark of an abbreviation before its last letter
    'ד"ר': "דוקטור", 'עו"ד': "עורך דין", 'ע"י': "על ידי", 'ארה"ב': "ארצות הברית",
    'ש"ח': "שקלים", 'בע"מ': "בערבון מוגבל", 'ת"א': "תל אביב", 'ק"מ': "קילומטר",
    'ס"מ': "סנטימטר", 'מ"מ': "מילימטר", 'ק"ג': "קילוגרם", 'אח"כ': "אחר כך", 'בד"כ': "בדרך כלל",
    'עפ"י': "על פי", 'אחה"צ': "אחר הצהריים", 'לפנה"צ': "לפני הצהריים", 'סה"כ': "סך הכול",
    'לפנה"ס': "לפני הספירה", 'בי"ס': "בית ספר", 'ביה"ס': "בית הספר",
}  # fmt: skip
_ENDED = {
    "פרופ'": "פרופסור", "גב'": "גברת", "רח'": "רחוב", "שד'": "שדרות", "וכו'": "וכולי",
    "טל'": "טלפון", "מס'": "מספר", "עמ'": "עמוד",
}  # fmt: skip
WORDS = Words(
    language="he",
    decimal=".",
    groups=",",
    minus="מינוס",
    to="עד",
    by="על",
    over="חלקי",
    signs={"+": "ועוד", "-": "פחות", "\N{MINUS SIGN}": "פחות", "*": "כפול", "×": "כפול",
           "·": "כפול", "x": "כפול", "/": "חלקי", ":": "חלקי", "÷": "חלקי", "=": "שווה"},
    marks={"%": "אחוז", "+": "ועוד", "=": "שווה", "@": "שטרודל"},
    address={".": "נקודה", "@": "שטרודל", "/": "לוכסן", "-": "מקף", "_": "קו תחתון",
             "?": "סימן שאלה", "=": "שווה", "#": "סולמית", ":": "נקודתיים", "+": "פלוס"},
    abbreviations={
        **_MARKED, **{key.replace('"', "״"): said for key, said in _MARKED.items()},
        **_ENDED, **{key.replace("'", "׳"): said for key, said in _ENDED.items()},
    },
    numbered={"מס'": "מספר", "מס׳": "מספר", "עמ'": "עמוד", "עמ׳": "עמוד", "#": "מספר"},
    scales={"מיליון": ("מיליון", "מיליון"), "מיליארד": ("מיליארד", "מיליארד"),
            "אלף": ("אלף", "אלף")},
    cents={"": ("",)},
    date=_date,
    time=time_with("he"),
)  # fmt: skip
