"""Korean."""
# ruff: noqa: RUF001

import re

from app.text.spoken.general.clock import time_with
from app.text.spoken.general.words import Words
from app.text.spoken.numbers import cardinal, ordinal
from app.text.spoken.roman import ROMAN, value_of
from app.text.spoken.rules import Rule, rule

_OPEN_DIGITS = "2459"  # their names end with a vowel


_MONTHS = {6: "유", 10: "시"}  # the others are the numbers


def _date(day: int, month: int, year: int | None, before: str) -> str:
    said = f"{_MONTHS.get(month) or cardinal(month, 'ko')}월 {cardinal(day, 'ko')}일"
    return f"{cardinal(year, 'ko')}년 {said}" if year else said


def _say_dotted_date(match: re.Match[str]) -> str | None:
    month, day = int(match["month"]), int(match["day"])
    return _date(day, month, int(match["year"]), "") if 1 <= month <= 12 and day <= 31 else None


def _say_month(match: re.Match[str]) -> str:
    return _MONTHS[int(match[0])]


def _say_time(match: re.Match[str]) -> str:
    """3번째 is the third time, and the third of a row."""
    return ordinal(int(match["number"]), "ko", "-native-count")


def _say_equals(match: re.Match[str]) -> str:
    """The topic particle of what stands before the sign."""
    return "는 " if match["before"] in _OPEN_DIGITS else "은 "


def _say_roman(match: re.Match[str]) -> str:
    return cardinal(value_of(match["roman"]), "ko")


RULES: tuple[Rule, ...] = (
    rule(
        r"(?<![\w.])(?P<year>\d{4})\.\s?(?P<month>\d\d?)\.\s?(?P<day>\d\d?)\.?(?![\w.])",
        _say_dotted_date,
    ),
    rule(r"(?<!\d)(?:6|10)(?=월)", _say_month),
    rule(r"(?<![\d.,])(?P<number>\d{1,2})\s?번째", _say_time),
    rule(r"(?P<before>[\d)])(?P<form>\s?=\s?)(?=[-\N{MINUS SIGN}]?\d)", _say_equals),
    rule(rf"(?<=제)\s?{ROMAN}(?=\s?[장부권편조])", _say_roman),
    rule(rf"(?<![A-Za-z]){ROMAN}(?=세(?![A-Za-z]))", _say_roman),
    rule(r"\(주\)\s?", lambda _: "주식회사 "),
)
WORDS = Words(
    language="ko",
    decimal=".",
    groups=",",
    minus="마이너스",
    percent="퍼센트",
    to="에서",
    ratio="대",
    by="곱하기",
    signs={
        "+": "더하기",
        "-": "빼기",
        "\N{MINUS SIGN}": "빼기",
        "*": "곱하기",
        "×": "곱하기",
        "·": "곱하기",
        "x": "곱하기",
        "/": "나누기",
        "÷": "나누기",
    },
    marks={"%": "퍼센트", "+": "더하기", "@": "골뱅이"},
    address={
        ".": "점",
        "@": "골뱅이",
        "/": "슬래시",
        "-": "하이픈",
        "_": "밑줄",
        "?": "물음표",
        "=": "등호",
        "&": "앤드",
        "#": "샵",
        ":": "콜론",
        "+": "플러스",
    },
    abbreviations={"vs": "대", "vs.": "대", "Dr.": "닥터", "Mr.": "미스터"},
    numbered={"No.": "넘버", "#": "번호"},
    scales={"만": ("만", "만"), "억": ("억", "억"), "조": ("조", "조")},
    cents={"": ("",)},
    date=_date,
    time=time_with("ko"),
)
