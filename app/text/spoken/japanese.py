"""Japanese. Numbers become kanji: the reader of the model knows how a counter changes them."""
# ruff: noqa: RUF001

import re

from app.text.spoken.addresses import address_rules
from app.text.spoken.numbers import cardinal, digits
from app.text.spoken.rules import Rule, rule
from app.text.spoken.wetext_rules import HAN, wetext_rule

_MARKS = {
    ".": "ドット", "@": "アットマーク", "/": "スラッシュ", "-": "ハイフン", "_": "アンダーバー",
    "?": "クエスチョンマーク", "=": "イコール", "&": "アンド", "#": "シャープ", ":": "コロン",
    "+": "プラス", "%": "パーセント", "~": "チルダ",
}  # fmt: skip
_ALONE = {"&": "アンド", "@": "アットマーク", "%": "パーセント", "№": "番号", "©": "", "®": "",
          "™": "", "°": "度"}  # fmt: skip


def _digits(written: str) -> str:
    return digits(written, "ja").replace("〇", "ゼロ")


def _say_number(match: re.Match[str]) -> str:
    return cardinal(int(match[0]), "ja")


def _say_zero(match: re.Match[str]) -> str:
    return "ゼロ"


def _say_version(match: re.Match[str]) -> str:
    return "点".join(
        cardinal(int(part), "ja").replace("〇", "ゼロ") for part in match[0].split(".")
    )


def _say_minus(match: re.Match[str]) -> str:
    return "マイナス"


def _say_degrees(match: re.Match[str]) -> str:
    return "度"


def _say_to(match: re.Match[str]) -> str:
    return "から"


def _say_mark(match: re.Match[str]) -> str:
    return _ALONE[match[0]]


RULES: tuple[Rule, ...] = (
    *address_rules(_MARKS, _digits),
    rule(r"(?<=[\d日時分月年円%])[〜~](?=\d)", _say_to),
    rule(r"[-\N{MINUS SIGN}](?=\d+(?:\.\d+)?\s?[°度℃])", _say_minus),
    rule(r"(?<=\d)\s?°C(?![a-zA-Z])", _say_degrees),
    rule(r"(?<![\da-zA-Z.,:/-])0(?![\da-zA-Z.,:/%])", _say_zero),
    rule(r"(?<![\da-zA-Z.,-])\d+(?:\.\d+){2,}(?![\da-zA-Z.%])", _say_version),
    rule(
        rf"(?<![\d.,:/$€£¥~*+=×-])[1-9]\d{{0,7}}(?=[{HAN}\u3040-\u30ff])(?![年月日時])", _say_number
    ),
    wetext_rule("ja"),
    rule(r"[&@%№©®™°]", _say_mark),
)
