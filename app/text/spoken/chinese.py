"""Chinese."""
# ruff: noqa: RUF001

import re

from app.text.spoken.addresses import address_rules
from app.text.spoken.numbers import cardinal, digits
from app.text.spoken.rules import Rule, rule
from app.text.spoken.wetext_rules import (
    CHAIN_PATTERN,
    HAN,
    NAME_HYPHEN_PATTERN,
    PAIR_PATTERN,
    VERSION_PATTERN,
    wetext_rule,
)

_MARKS = {
    ".": "点", "@": "艾特", "/": "斜杠", "-": "杠", "_": "下划线", "?": "问号", "=": "等于",
    "&": "和", "#": "井号", ":": "冒号", "+": "加", "%": "百分号", "~": "波浪号",
}  # fmt: skip
_DIALLED = (
    "打话話号號码碼机機拨撥年月"  # behind these the digits are said one by one, or are a date
)
_PHONE = (
    r"(?<![\d.,:/-])(?:(?P<country>\+?86)[ -]?)?"
    r"(?:1[3-9]\d[ -]?\d{4}[ -]?\d{4}|400[ -]\d{3}[ -]\d{4})(?![\d.,:/-]*\d)"
)
_SCORE = "获胜|取胜|胜|大胜|险胜|战胜|击败|负|领先|落后|落败|逆转|战平|不敌|淘汰|横扫"
_ALONE = {"&": "和", "@": "艾特", "%": "百分之", "№": "号", "©": "", "®": "", "™": "", "°": "度"}


def _digits(written: str) -> str:
    return digits(written, "zh").replace("〇", "零").replace(" ", "")


def _say_decimal(match: re.Match[str]) -> str:
    """Digit by digit behind the point. The grammar takes 10.05 for a day of October."""
    return f"{_cardinal(match['whole'])}点{_digits(match['fraction'])}"


def _say_number(match: re.Match[str]) -> str:
    """What needs no grammar: no telephone, no year, and no 2 that a counter changes."""
    return _cardinal(match[0])


def _cardinal(written: str) -> str:
    return cardinal(int(written), "zh").replace("〇", "零")


def _say_minus(match: re.Match[str]) -> str:
    return "负"


def _say_version(match: re.Match[str]) -> str:
    return "点".join(_cardinal(part) for part in match[0].split("."))


def _say_second(match: re.Match[str]) -> str:
    """Of a month. The grammar says 两, as for a count of days."""
    return "二"


def _say_phone(match: re.Match[str]) -> str:
    plus = "加" if match[0].startswith("+") else ""
    return plus + _digits("".join(filter(str.isdecimal, match[0]))).replace("一", "幺")


def _say_nothing(match: re.Match[str]) -> str:
    return ""


def _say_range(match: re.Match[str]) -> str:
    return f"{_cardinal(match['left'])}到{_cardinal(match['right'])}"


def _say_years(match: re.Match[str]) -> str:
    return f"{_digits(match['left'])}到{_digits(match['right'])}"


def _say_percents(match: re.Match[str]) -> str:
    return f"百分之{_decimal(match['left'])}到百分之{_decimal(match['right'])}"


def _decimal(written: str) -> str:
    whole, _, fraction = written.partition(".")
    return _cardinal(whole) + (f"点{_digits(fraction)}" if fraction else "")


def _say_score(match: re.Match[str]) -> str:
    return f"{_cardinal(match['left'])}比{_cardinal(match['right'])}"


def _say_chain(match: re.Match[str]) -> str:
    return "杠".join(_part(part) for part in match[0].split("-"))


def _part(written: str) -> str:
    """Of a number in parts: three digits and more one by one, as those of a room are said."""
    return _digits(written) if len(written) > 2 or written[0] == "0" else _cardinal(written)


def _say_mark(match: re.Match[str]) -> str:
    return _ALONE[match[0]]


RULES: tuple[Rule, ...] = (
    *address_rules(_MARKS, _digits),
    rule(VERSION_PATTERN, _say_version),
    rule(_PHONE, _say_phone),
    rule(NAME_HYPHEN_PATTERN, _say_nothing),
    rule(rf"(?:(?<=第)|(?<=第\s)){PAIR_PATTERN}", _say_range),
    rule(
        r"(?<![\da-zA-Z.,:/+*=×-])(?P<left>\d+(?:\.\d+)?)%?[-~](?P<right>\d+(?:\.\d+)?)%",
        _say_percents,
    ),
    rule(rf"(?=(?:19|20)\d\d-){PAIR_PATTERN}(?=\s?(?:赛季|赛年|学年|财年|年))", _say_years),
    rule(rf"{PAIR_PATTERN}(?=\s?(?:{_SCORE}))", _say_score),
    rule(rf"(?:(?<=以)|(?<=比分)|(?<=比分[为是])){PAIR_PATTERN}", _say_score),
    rule(CHAIN_PATTERN, _say_chain),
    rule(r"(?<![\d.,:/~〜-])2(?=[日号號])", _say_second),
    rule(r"(?<=第)\d{1,4}", _say_number),
    rule(r"[-\N{MINUS SIGN}](?=\d+(?:\.\d+)?\s?[°度℃])", _say_minus),
    rule(r"(?<=[是为达于约])[-\N{MINUS SIGN}](?=\d)", _say_minus),
    rule(
        r"(?<![\d.,:/$€£¥-])(?P<whole>\d{1,2})\.(?P<fraction>\d{2})(?![\d.,:/%°a-zA-Z年月日号元])",
        _say_decimal,
    ),
    rule(
        rf"(?<![\d.,:/$€£¥~*+=×-])(?<![{_DIALLED}])(?!2\D)[1-9]\d{{0,3}}(?=[{HAN}])(?![年月点])",
        _say_number,
    ),
    wetext_rule("zh"),
    rule(r"[&@%№©®™°]", _say_mark),
)
