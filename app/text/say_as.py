"""What SSML's `say-as` says. Pure; knows nothing about tags.

A kind that only names what the words are (a date, a time, money) leaves them as they stand: the
spoken forms read them.
"""

import re

from app.errors import BadRequest

_LETTERS = {"characters", "character", "spell-out", "spell", "verbatim", "letters"}
_DIGITS = {"digits", "telephone"}
_AS_WRITTEN = {
    "address",
    "cardinal",
    "currency",
    "date",
    "duration",
    "fraction",
    "name",
    "net",
    "number",
    "ordinal",
    "time",
    "unit",
}
_SILENT = {"expletive", "bleep"}
_GROUP = re.compile(r"\d+")


def say_as(kind: str, words: str, form: str | None = None) -> str:
    """Raises BadRequest for a kind that is not known. `form` is SSML's `format`."""
    kind = kind.lower()
    if kind in _LETTERS:
        return " ".join("".join(words.split()))
    if kind in _DIGITS or (kind == "number" and form in _DIGITS):
        return ", ".join(" ".join(group) for group in _GROUP.findall(words)) or words
    if kind in _SILENT:
        return ""
    if kind in _AS_WRITTEN:
        return words
    kinds = ", ".join(sorted(_LETTERS | _DIGITS | _SILENT | _AS_WRITTEN))
    message = f"input: SSML: say-as: interpret-as {kind[:64]!r} is not known; these are: {kinds}"
    raise BadRequest(message, param="input", code="unsupported_ssml")
