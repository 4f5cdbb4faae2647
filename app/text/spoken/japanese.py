"""Japanese. Numbers become kanji: the reader of the model knows how a counter changes them."""
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
    ".": "ドット", "@": "アットマーク", "/": "スラッシュ", "-": "ハイフン", "_": "アンダーバー",
    "?": "クエスチョンマーク", "=": "イコール", "&": "アンド", "#": "シャープ", ":": "コロン",
    "+": "プラス", "%": "パーセント", "~": "チルダ",
}  # fmt: skip
_SCORE = (
    "で(?:勝|負|敗|破|下|引き分|制)|の(?:勝|敗|逆転|引き分|接戦)|と(?:リード|勝|逆転)|勝ち|負け"
)
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


def _say_nothing(match: re.Match[str]) -> str:
    return ""


def _say_postcode(match: re.Match[str]) -> str:
    return "郵便番号" + _parts(f"{match['left']}-{match['right']}")


def _say_score(match: re.Match[str]) -> str:
    return f"{_number(match['left'])}対{_number(match['right'])}"


def _say_chain(match: re.Match[str]) -> str:
    return _parts(match[0])


def _parts(written: str) -> str:
    """Of an address or a phone number, whose parts are said digit by digit."""
    parts = written.split("-")
    is_dialled = parts[0][0] == "0" or any(len(part) > 3 for part in parts)
    said = [_digits(part).replace(" ", "") if is_dialled else _number(part) for part in parts]
    return "の".join(said)


def _number(written: str) -> str:
    return cardinal(int(written), "ja").replace("〇", "ゼロ")


def _say_mark(match: re.Match[str]) -> str:
    return _ALONE[match[0]]


RULES: tuple[Rule, ...] = (
    *address_rules(_MARKS, _digits),
    rule(NAME_HYPHEN_PATTERN, _say_nothing),
    rule(r"〒\s?(?P<left>\d{3})-(?P<right>\d{4})(?!\d)", _say_postcode),
    rule(rf"{PAIR_PATTERN}(?={_SCORE})", _say_score),
    rule(CHAIN_PATTERN, _say_chain),
    rule(
        rf"(?<=[{HAN}\u3040-\u30ff]){PAIR_PATTERN}"
        r"(?=$|\s|[、。,]|に|の|で|へ|です)",
        _say_chain,
    ),
    rule(r"(?<=[\d日時分月年円%])[〜~](?=\d)", _say_to),
    rule(r"[-\N{MINUS SIGN}](?=\d+(?:\.\d+)?\s?[°度℃])", _say_minus),
    rule(r"(?<=\d)\s?°C(?![a-zA-Z])", _say_degrees),
    rule(r"(?<![\da-zA-Z.,:/-])0(?![\da-zA-Z.,:/%])", _say_zero),
    rule(VERSION_PATTERN, _say_version),
    rule(
        rf"(?<![\d.,:/$€£¥~*+=×-])[1-9]\d{{0,7}}(?=[{HAN}\u3040-\u30ff])(?![年月日時])", _say_number
    ),
    wetext_rule("ja"),
    rule(r"[&@%№©®™°]", _say_mark),
)
