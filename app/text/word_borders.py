"""Where a word begins and ends, in any script. Pure; knows nothing about the words.

The rules are those of Unicode's UAX 29, with three differences. A hyphen ends a word, and so does
the `'s` of a possessive. In scripts without spaces (Han, hiragana, Thai and others) every place
between two characters is a border, because nothing but a dictionary knows better. A Korean word
ends before its particle. An apostrophe is `'`, as in a text whose apostrophes are all plain.
"""

import re
import unicodedata
from enum import Enum, auto

NO_SPACES = (  # the scripts that put no spaces between words, as ranges of a character class
    "\u0e00-\u0fff\u1000-\u109f\u1780-\u17ff\u3005-\u3007\u3040-\u309f\u3400-\u4dbf"
    "\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
)
_NO_SPACES = re.compile(f"[{NO_SPACES}]")
_KATAKANA = re.compile("[\u30a1-\u30fa\u30fc-\u30ff\u31f0-\u31ff\uff66-\uff9f]")
_JOINERS = ".'&"  # between two letters: kubernetes.io, O'Brien, AT&T
_ELIDING = ("fr", "it")  # l'eau, dell'acqua: the word begins behind the apostrophe
_NOT = re.compile(r"'t(?!\w)", re.IGNORECASE)  # can't is not the word can
_PROGRAMMING = re.compile(r"\+\+|#")  # C++ and C# are not the word C
_PARTICLE = re.compile(
    "(?:은|는|이|가|을|를|의|에|에서|에게|와|과|도|만|로|으로|까지|부터|처럼|보다|이나|나|라고|이라고"
    r"|이다|입니다|이에요|예요)(?!\w)"
)


class _Kind(Enum):
    NO_WORD = auto()  # spaces, punctuation and symbols
    SPACED = auto()  # letters and digits of scripts that put spaces between words
    UNSPACED = auto()
    KATAKANA = auto()  # a run of katakana is one word


def begins_word(text: str, at: int, language: str) -> bool:
    """Whether a word may begin at `text[at]`."""
    if at == 0:
        return True
    if _joins(text, at - 1):
        return text[at - 1] == "'" and language in _ELIDING
    return _is_border(text, at) and not _joins(text, at)


def ends_word(text: str, at: int, language: str) -> bool:
    """Whether a word may end before `text[at]`."""
    if at == len(text):
        return True
    if text[at] == "'":
        return language != "en" or not _NOT.match(text, at)
    if _joins(text, at) or _joins(text, at - 1) or _PROGRAMMING.match(text, at):
        return False
    return _is_border(text, at) or (language == "ko" and _PARTICLE.match(text, at) is not None)


def _joins(text: str, at: int) -> bool:
    """Whether `text[at]` stands between two letters and makes them one word."""
    if not (text[at] in _JOINERS and 0 < at < len(text) - 1):
        return False
    return _kind(text[at - 1]) is _kind(text[at + 1]) is _Kind.SPACED


def _is_border(text: str, at: int) -> bool:
    before, after = text[at - 1], text[at]
    if unicodedata.category(after).startswith("M"):
        return False
    kind = _kind(before)
    return kind is not _kind(after) or kind in (_Kind.NO_WORD, _Kind.UNSPACED)


def _kind(char: str) -> _Kind:
    if _NO_SPACES.match(char):
        return _Kind.UNSPACED
    if _KATAKANA.match(char):
        return _Kind.KATAKANA
    if char.isalnum() or char == "_" or unicodedata.category(char).startswith("M"):
        return _Kind.SPACED
    return _Kind.NO_WORD
