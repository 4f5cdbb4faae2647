"""Chinese."""
# ruff: noqa: RUF001

import re

from app.text.spoken.addresses import address_rules
from app.text.spoken.numbers import cardinal, digits
from app.text.spoken.rules import Rule, rule
from app.text.spoken.wetext_rules import HAN, wetext_rule

_MARKS = {
    ".": "点", "@": "艾特", "/": "斜杠", "-": "杠", "_": "下划线", "?": "问号", "=": "等于",
    "&": "和", "#": "井号", ":": "冒号", "+": "加", "%": "百分号", "~": "波浪号",
}  # fmt: skip
_DIALLED = (
    "打话話号號码碼机機拨撥年月"  # behind these the digits are said one by one, or are a date
)
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


def _say_mark(match: re.Match[str]) -> str:
    return _ALONE[match[0]]


RULES: tuple[Rule, ...] = (
    *address_rules(_MARKS, _digits),
    rule(r"(?<![\da-zA-Z.,-])\d+(?:\.\d+){2,}(?![\da-zA-Z.%])", _say_version),
    rule(r"(?<=第)\d{1,4}", _say_number),
    rule(r"[-\N{MINUS SIGN}](?=\d+(?:\.\d+)?\s?[°度℃])", _say_minus),
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
