"""The rules of English in the order in which they look at a text."""

from app.text.spoken.addresses import address_rules
from app.text.spoken.english import (
    abbreviations,
    arithmetic,
    dates,
    initials,
    money,
    names,
    notes,
    phones,
    plain,
    times,
    units,
)
from app.text.spoken.english.numbers import cardinal, digits
from app.text.spoken.rules import Rule

_MARKS = {
    ".": "dot", "@": "at", "/": "slash", "-": "dash", "_": "underscore", "?": "question mark",
    "=": "equals", "&": "and", "#": "hash", "%": "percent", ":": "colon", "~": "tilde",
    "+": "plus",
}  # fmt: skip


def _address_digits(written: str) -> str:
    """Short numbers and round ones as numbers, others digit by digit."""
    is_short = len(written) <= 2 or written.rstrip("0") in {*"123456789"}
    return cardinal(int(written)) if is_short and written[0] != "0" else digits(written)


RULES: tuple[Rule, ...] = (
    *address_rules(_MARKS, _address_digits),
    *notes.RULES,
    *phones.RULES,
    *plain.LIST_RULES,
    *dates.RULES,
    *times.RULES,
    *arithmetic.RULES,
    *money.RULES,
    *arithmetic.RANGE_RULES,
    *dates.YEAR_RULES,
    *units.RULES,
    *arithmetic.POWER_RULES,
    *names.RULES,
    *abbreviations.RULES,
    *initials.RULES,
    *plain.RULES,
    *plain.MARK_RULES,
)
