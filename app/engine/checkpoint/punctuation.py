"""Punctuation as each family was trained: upstream's three `punc_norm` functions as a table.

Upstream's functions are in modules that import all of upstream. tests/upstream_pins.json notices a
change of them. Knows nothing about ids or languages.
"""

from app.engine.checkpoint.spec import Family

NO_TEXT = "You need to add some text for me to talk."  # spoken for an empty text
FULL_STOP = "."  # added to a text that ends in no ender

# Applied in this order: each replacement reads the result of the one before.
_REPLACEMENTS = (
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
_NOT_IN_TURBO = ("...", " - ", ";")
_REPLACEMENTS_OF: dict[Family, tuple[tuple[str, str], ...]] = {
    "english": _REPLACEMENTS,
    "multilingual": _REPLACEMENTS,
    "turbo": tuple(pair for pair in _REPLACEMENTS if pair[0] not in _NOT_IN_TURBO),
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
    for old, new in _REPLACEMENTS_OF[family]:
        text = text.replace(old, new)
    text = text.rstrip(" ")
    return text if text.endswith(_ENDERS[family]) else text + FULL_STOP


def replaced_marks(known: set[str], family: Family) -> set[str]:
    """The characters that `punctuated` turns into `known` ones."""
    return {
        old for old, new in _REPLACEMENTS_OF[family] if len(old) == 1 and set(new.strip()) <= known
    }
