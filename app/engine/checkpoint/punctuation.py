"""Punctuation as each family was trained on it: what upstream's three `punc_norm` do to a text.

Theirs are in the modules that import all of upstream. tests/upstream_pins.json holds them to this
table. Knows nothing about ids or languages.
"""

from app.engine.checkpoint.spec import Family

NO_TEXT = "You need to add some text for me to talk."  # is spoken for an empty one
FULL_STOP = "."  # ends what ends in no ender

# One after the other, in this order: each sees what the ones before have made.
_IN_TURN = (
    ("...", ", "),
    ("…", ", "),
    (":", ","),
    (" - ", ", "),
    (";", ", "),
    ("—", "-"),
    ("\u2013", "-"),  # an en dash
    (" ,", ","),
    ("“", '"'),
    ("”", '"'),
    ("\u2018", "'"),  # single quotation marks
    ("\u2019", "'"),
)
_NOT_OF_TURBO = ("...", " - ", ";")
_REPLACED: dict[Family, tuple[tuple[str, str], ...]] = {
    "english": _IN_TURN,
    "multilingual": _IN_TURN,
    "turbo": tuple(pair for pair in _IN_TURN if pair[0] not in _NOT_OF_TURBO),
}
_ENDERS: dict[Family, tuple[str, ...]] = {
    "english": tuple(".!?-,"),
    "multilingual": tuple(".!?-,、\uff0c。\uff1f\uff01"),  # full-width comma, question, exclamation
    "turbo": tuple(".!?-,"),
}


def punctuated(text: str, family: Family) -> str:
    if not text:
        return NO_TEXT
    first = text[0].upper() if text[0].islower() else text[0]
    text = " ".join((first + text[1:]).split())
    for found, put in _REPLACED[family]:
        text = text.replace(found, put)
    text = text.rstrip(" ")
    return text if text.endswith(_ENDERS[family]) else text + FULL_STOP
