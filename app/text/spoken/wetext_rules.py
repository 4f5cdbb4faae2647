"""Chinese and Japanese forms by the grammars of the library wetext.

Its time grows with the square of the text: it is given one form at a time, with the characters
beside it, because a counter changes the number (两只) and a verb the digits (拨打幺幺零). What it
said is kept. It is imported with the first form.
"""
# ruff: noqa: RUF001

import re
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Literal

from app.text.spoken.rules import Rule, rule

if TYPE_CHECKING:
    from wetext import Normalizer

Language = Literal["zh", "ja"]
_BEFORE, _BEHIND = 3, 2  # characters beside a form
_MAX_FORM = 40  # characters; a longer run of digits and marks is no form
HAN = "\u3400-\u9fff"
# No letter before it, except the v of a version.
VERSION_PATTERN = (
    r"(?<![\d.,-])(?:(?<![a-zA-Z])|(?<=(?<![a-zA-Z])[vV]))\d+(?:\.\d+){2,}(?![\da-zA-Z.%])"
)
NAME_HYPHEN_PATTERN = r"(?<=[a-zA-Z])-(?=\d)"  # GPT-4, COVID-19
_ALONE = r"(?<![\da-zA-Z.,:/~〜×x+*=÷$€£¥-])"
_NO_MORE = r"(?![\d.,:/~〜×x+*=÷%-])"
PAIR_PATTERN = rf"{_ALONE}(?P<left>\d{{1,4}})-(?P<right>\d{{1,4}}){_NO_MORE}"
# No date.
CHAIN_PATTERN = (
    rf"{_ALONE}(?!(?:19|20)\d\d-(?:0?[1-9]|1[0-2])-(?:0?[1-9]|[12]\d|3[01])(?!\d))"
    rf"\d{{1,5}}(?:-\d{{1,5}}){{2,}}{_NO_MORE}"
)
# Digits, and what joins them to one form: 2026年11月24日, 100km/h, 7+8=15.
_UNIT = r"°[CF]|[%°℃℉‰]|\s?[a-zA-Zµ°²³]{1,4}(?:/[a-zA-Z]{1,2})?(?![a-zA-Z])"
_JOINT = rf",(?=\d{{3}}(?!\d))|[.:/~〜×x+*=÷-]|[年月日号號时時分秒点點]|{_UNIT}"
_SIGN = rf"(?:[-\N{{MINUS SIGN}}](?<![\dA-Za-z{HAN}].))?[¥$€£￥₩]?"
FORM_PATTERN = rf"(?<![\d.]){_SIGN}\d(?:(?:{_JOINT})*\d)*(?:{_UNIT})?"


_PAIR = re.compile(rf"(?P<left>\d+(?:\.\d+)?)-(?P<right>\d+(?:\.\d+)?)(?:{_UNIT})?$")
_RESULT = re.compile(r"\s*(?:[=＝]|等于|是多少|は\s?[\d\0]|は(?:いくつ|何))")
_HYPHENS: dict[Language, tuple[str, str, str]] = {  # as a minus, of a range, of a score
    "zh": ("减", "到", "比"),
    "ja": ("マイナス", "から", "対"),
}
_THOUSANDS = re.compile(r"(?<=\d),(?=\d{3}(?!\d))")


@cache
def _normalizer(language: Language) -> "Normalizer":
    from wetext import Normalizer  # noqa: PLC0415 (1 s)

    return Normalizer(lang=language, operator="tn")


@lru_cache(4096)
def said(before: str, form: str, behind: str, language: Language) -> str | None:
    """None where the grammar changes more than the form, even alone."""
    form = _THOUSANDS.sub("", form)  # the grammar takes them for commas where decimals follow
    for left, right in ((before, behind), ("", behind), ("", "")):
        words = _normalized(left + form + right, language)
        if words.startswith(left) and words.endswith(right) and words != left + form + right:
            return words[len(left) : len(words) - len(right)]
    return None


def _normalized(text: str, language: Language) -> str:
    """The library takes white space from the ends, and fails for some texts by an assertion."""
    try:
        return str(_normalizer(language).normalize(text))
    except AssertionError:
        return text


def wetext_rule(language: Language) -> Rule:
    def say(match: re.Match[str]) -> str | None:
        text, (start, end) = match.string, match.span()
        if end - start > _MAX_FORM:
            return None
        before = _beside(text[max(0, start - _BEFORE) : start][::-1])[::-1]
        words = said(before, match[0], _beside(text[end : end + _BEHIND]), language)
        return None if words is None else _without_minus(words, match[0], text[end:], language)

    return rule(FORM_PATTERN, say)


def _without_minus(words: str, form: str, behind: str, language: Language) -> str:
    """Two numbers with a hyphen are a range, or a score where the first is not the smaller one.
    They are a sum only where its result is asked for."""
    pair = _PAIR.match(form)
    if pair is None or _RESULT.match(behind):
        return words
    minus, to, against = _HYPHENS[language]
    is_range = float(pair["left"]) < float(pair["right"])
    return words.replace(minus, to if is_range else against, 1)


def _beside(text: str) -> str:
    """The characters nearest to the form, up to a mark, a space or another form."""
    letters = re.match(rf"[{HAN}\u3040-\u30ff]*", text)
    return letters[0] if letters else ""
