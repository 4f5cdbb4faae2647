"""Chinese."""
# ruff: noqa: RUF001

import re

from app.text.spoken.addresses import address_rules
from app.text.spoken.numbers import cardinal, digits
from app.text.spoken.rules import Rule, rule
from app.text.spoken.wetext_rules import wetext_rule

_MARKS = {
    ".": "点", "@": "艾特", "/": "斜杠", "-": "杠", "_": "下划线", "?": "问号", "=": "等于",
    "&": "和", "#": "井号", ":": "冒号", "+": "加", "%": "百分号", "~": "波浪号",
}  # fmt: skip
_ALONE = {"&": "和", "@": "艾特", "%": "百分之", "№": "号", "©": "", "®": "", "™": "", "°": "度"}


def _digits(written: str) -> str:
    return digits(written, "zh").replace("〇", "零").replace(" ", "")


def _say_decimal(match: re.Match[str]) -> str:
    """Digit by digit behind the point. The grammar takes 10.05 for a day of October."""
    whole = cardinal(int(match["whole"]), "zh").replace("〇", "零")
    return f"{whole}点{_digits(match['fraction'])}"


def _say_version(match: re.Match[str]) -> str:
    return "点".join(cardinal(int(part), "zh").replace("〇", "零") for part in match[0].split("."))


def _say_mark(match: re.Match[str]) -> str:
    return _ALONE[match[0]]


RULES: tuple[Rule, ...] = (
    *address_rules(_MARKS, _digits),
    rule(r"(?<![\w.,-])\d+(?:\.\d+){2,}(?![\w.%])", _say_version),
    rule(
        r"(?<![\d.,:/$€£¥-])(?P<whole>\d{1,2})\.(?P<fraction>\d{2})(?![\d.,:/%°a-zA-Z年月日号元])",
        _say_decimal,
    ),
    wetext_rule("zh"),
    rule(r"[&@%№©®™°]", _say_mark),
)
