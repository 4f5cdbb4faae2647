"""Characters that nobody should hear, and those that a model cannot read. Pure functions.

`folded` runs before the spoken forms: it takes invisible characters out, and writes compatibility
characters (full-width, bold, ligatures) as the letters that they stand for. Fractions and raised
digits stay: the spoken forms read them. `readable` runs after the spoken forms, on what is left.
"""
# ruff: noqa: RUF001

import re
import unicodedata
from collections.abc import Iterator, Set
from functools import cache, lru_cache

import emoji

from app.text.spans import Replacement
from app.text.ssml import PAUSE

EMOJI, UNREADABLE = "emoji", "unreadable"  # why a character was dropped

_BEHIND_WORDS = tuple(".,!?;:")  # no space stands before them
_INVISIBLE = set("\u034f\u115f\u1160\u17b4\u17b5\u3164\uffa0\u0640\ufffc\ufffd")  # and tatweel
_FOLDED_KINDS = {
    "<circle>",
    "<compat>",
    "<final>",
    "<font>",
    "<initial>",
    "<isolated>",
    "<medial>",
    "<narrow>",
    "<noBreak>",
    "<small>",
    "<square>",
    "<vertical>",
    "<wide>",
}
MAX_NUMBER_CHARS = 24  # before a comma
_THOUSANDS = re.compile(r"(?<![\d.．:：/／－-])[1-9１-９]\d{0,2}(?:[,，]\d{3})*\Z")
_THREE_DIGITS = re.compile(r"\d{3}(?!\d)")
_SIGNED = re.compile(r"[$€£¥￥＄][\d,，]*\Z")
_COUNTED = re.compile(r"\d+\s?(?:[美日欧]?元|英镑|人民币|块)")
_ORDINARY = re.compile(r"[ -~\n\r\t]*")
_CJK_MARKS = "，！？：；（）"  # they end sentences and clauses
_KEPT = set(_CJK_MARKS + "…№")
_KANJI_OF_NAMES = set("髙﨑𠮷濵瀨栁桒槗冨塚德黑邊邉齋齊澤廣國會澁靜眞惠櫻濱嶋槙凛圓々〆〇")
_PLAIN_MARKS = {
    **dict.fromkeys("“”„‟«»″〝〞「」『』《》〈〉", '"'),
    **dict.fromkeys("‘’‚‛‹›′ʼ`´ʻ", "'"),
    **dict.fromkeys("‐‑‒–—―−⁃〜～", "-"),
    **dict.fromkeys("，、،‚︐", ","),
    **dict.fromkeys("。．।॥۔｡", "."),
    **dict.fromkeys("；؛", ";"),
    "：": ":",
    "！": "!",
    "？": "?",
    "؟": "?",
    "…": "...",
    "⁄": "/",
    "∕": "/",
    "×": "x",
    "·": " ",
    "•": " ",
}
_PLAIN_LETTERS = {
    "æ": "ae",
    "œ": "oe",
    "ø": "o",
    "ß": "ss",
    "ł": "l",
    "đ": "d",
    "ð": "d",
    "þ": "th",
    "ħ": "h",
    "ı": "i",
    "ŋ": "ng",
    "ŧ": "t",
    "ĸ": "k",
    "ə": "e",
}


def without_emoji(text: str) -> list[Replacement]:
    if _emoji_characters().isdisjoint(text):
        return []
    found = []
    for each in emoji.emoji_list(text):
        start, end = each["match_start"], each["match_end"]
        is_inside = text[start - 1 : start].isalnum() and text[end : end + 1].isalnum()
        if text[start - 1 : start] == " " and text[end : end + 1] in _BEHIND_WORDS:
            found.append(Replacement(start - 1, start, ""))
        found.append(Replacement(start, end, " " if is_inside else "", dropped=EMOJI))
    return found


@cache
def _emoji_characters() -> frozenset[str]:
    """One of them is in every emoji. (The library takes half a millisecond to find none.)"""
    return frozenset(char for each in emoji.EMOJI_DATA for char in each if not char.isascii())


def folded(text: str) -> list[Replacement]:
    found = []
    for start, end in _clusters(text):
        cluster = text[start:end]
        said = _fold(cluster)
        if cluster in _KEPT and _is_in_number(text, start, end):
            said = _PLAIN_MARKS.get(cluster, cluster)
        if said != cluster:
            found.append(Replacement(start, end, said))
    return found


def _clusters(text: str) -> Iterator[tuple[int, int]]:
    """The characters that may need folding, each with the marks behind it."""
    if _ORDINARY.fullmatch(text):
        return
    at = 0
    while at < len(text):
        end = at + 1
        while end < len(text) and _continues(text[end]):
            end += 1
        if end > at + 1 or not " " <= text[at] <= "~":
            yield at, end
        at = end


@cache
def _continues(char: str) -> bool:
    """Marks, conjoining vowels and finals of Hangul, voiced marks of narrow katakana."""
    return char > "~" and (
        unicodedata.category(char)[0] == "M"
        or "\u1160" <= char <= "\u11ff"
        or char in "\uff9e\uff9f"
    )


@lru_cache(maxsize=4096)
def _fold(cluster: str) -> str:
    return unicodedata.normalize("NFC", "".join(map(_fold_one, cluster)))


def _fold_one(char: str) -> str:
    category = unicodedata.category(char)
    if char == PAUSE:
        return char
    is_silent = category in ("Cc", "Cf", "Cs", "Co", "Cn") and not char.isspace()
    if is_silent or char in _INVISIBLE or _is_variation_selector(char):
        return ""
    kind, *codes = unicodedata.decomposition(char).split() or [""]
    if kind not in _FOLDED_KINDS or char in _KEPT or category == "Sk":
        return char
    return "".join(_fold_one(chr(int(code, 16))) for code in codes)


def _is_variation_selector(char: str) -> bool:
    return "\ufe00" <= char <= "\ufe0f" or "\U000e0100" <= char <= "\U000e01ef"


def _is_in_number(text: str, start: int, end: int) -> bool:
    """A comma is in one only where it divides thousands."""
    if text[start:end] == "，":
        before = text[max(0, start - MAX_NUMBER_CHARS) : start]
        is_second_sum = _SIGNED.search(before) and _COUNTED.match(text, end)
        is_divider = _THOUSANDS.search(before) and _THREE_DIGITS.match(text, end)
        return is_divider is not None and is_second_sum is None
    return text[start - 1 : start].isdecimal() and text[end : end + 1].isdecimal()


def readable(
    text: str, characters: Set[str], language: str | None, *, folds: bool
) -> list[Replacement]:
    """What the model cannot read: in the nearest characters that it can, else dropped. A run that
    is dropped is one replacement. `folds`: the model's own front end writes small letters, and
    letters apart from their accents."""
    found: list[Replacement] = []
    for at, char in enumerate(text):
        if char in characters or char.isspace() or char == PAUSE:
            continue
        said = _readable_form(char, characters, language, folds)
        if said == char:
            continue
        is_told = said is None and unicodedata.category(char)[0] in "LNS"
        last = found[-1] if found else None
        if is_told and last is not None and last.dropped and last.end == at:
            found[-1] = Replacement(last.start, at + 1, "", dropped=UNREADABLE)
        else:
            found.append(
                Replacement(at, at + 1, said or "", dropped=UNREADABLE if is_told else None)
            )
    return found


def _readable_form(
    char: str, characters: Set[str], language: str | None, folds: bool
) -> str | None:
    """None: there is none."""
    if folds and _is_folded_by_model(char, characters, language):
        return char
    digit = unicodedata.decimal(char, None)
    bare = "".join(_bare(part) for part in unicodedata.normalize("NFKD", char))
    candidates = [
        _PLAIN_MARKS.get(char, ""),
        "" if digit is None else str(digit),
        _cased(_PLAIN_LETTERS.get(char.lower(), ""), char),
        bare,
        bare.lower(),
    ]
    return next((each for each in candidates if each and _all_in(each, characters)), None)


def _bare(char: str) -> str:
    if unicodedata.combining(char):
        return ""
    return _PLAIN_MARKS.get(char, char)


def _cased(letters: str, like: str) -> str:
    return letters.capitalize() if like.isupper() else letters


def _all_in(text: str, characters: Set[str]) -> bool:
    return all(char in characters or char == " " for char in text)


def _is_folded_by_model(char: str, characters: Set[str], language: str | None) -> bool:
    """Chinese and Japanese characters become other characters before the vocabulary is asked."""
    is_han = "\u3400" <= char <= "\u9fff" or char in "々〇〆" or char >= "\U00020000"
    is_kana = "\u3040" <= char <= "\u30ff"
    if (is_han and language == "zh") or (is_kana and language == "ja"):
        return True
    if is_han and language == "ja":
        return _has_reading(char)
    return _all_in(unicodedata.normalize("NFKD", char.lower()), characters)


def _has_reading(kanji: str) -> bool:
    """Readers of Japanese know the kanji of JIS X 0208, and some others in names."""
    if kanji in _KANJI_OF_NAMES:
        return True
    try:
        return bool(kanji.encode("shift_jis"))
    except UnicodeEncodeError:
        return False
