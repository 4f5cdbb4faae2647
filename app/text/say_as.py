"""What SSML's `say-as` says. Pure; knows nothing about tags.

A kind that only names what the words are (a time, money) leaves them as they stand: the spoken
forms read them.
"""

import re

from app.errors import BadRequest
from app.text.spoken.numbers import MAX_DIGITS, cardinal, ordinal

_LETTERS = {"characters", "character", "spell-out", "spell", "verbatim", "letters"}
_DIGITS = {"digits", "telephone"}
_NUMBERS = {"cardinal", "number"}
_AS_WRITTEN = {
    "address",
    "currency",
    "duration",
    "fraction",
    "name",
    "net",
    "time",
    "unit",
}
_SILENT = {"expletive", "bleep"}
_KINDS = {*_LETTERS, *_DIGITS, *_NUMBERS, *_AS_WRITTEN, *_SILENT, "ordinal", "date"}
_GROUP = re.compile(r"\d+")
_INTEGER = re.compile(rf"-?\d{{1,{MAX_DIGITS}}}")
_DATE = re.compile(r"(\d{1,4})[-./](\d{1,2}|\d{4})[-./](\d{1,4})")


def say_as(kind: str, words: str, form: str | None = None, language: str = "en") -> str:
    """Raises BadRequest for a kind that is not known. `form` is SSML's `format`."""
    kind = kind.lower()
    if kind in _LETTERS:
        return " ".join("".join(words.split()))
    if kind in _DIGITS or (kind == "number" and form in _DIGITS):
        return ", ".join(" ".join(group) for group in _GROUP.findall(words)) or words
    if kind in _SILENT:
        return ""
    if kind == "date":
        return _date(words, form or "")
    if kind == "ordinal" or kind in _NUMBERS:
        return _number(kind, words, language)
    if kind in _AS_WRITTEN:
        return words
    kinds = ", ".join(sorted(_KINDS))
    message = f"input: SSML: say-as: interpret-as {kind[:64]!r} is not known; these are: {kinds}"
    raise BadRequest(message, param="input", code="unsupported_ssml")


def _number(kind: str, words: str, language: str) -> str:
    if not _INTEGER.fullmatch(words):
        return words
    number = int(words)
    return ordinal(number, language) if kind == "ordinal" else cardinal(number, language)


def _date(words: str, form: str) -> str:
    """A date whose order is given, as year-month-day: the spoken forms know that order."""
    parts = _DATE.fullmatch(words)
    if parts is None or sorted(form) != ["d", "m", "y"]:
        return words
    part = dict(zip(form, parts.groups(), strict=True))
    return f"{part['y']}-{part['m']:0>2}-{part['d']:0>2}"
