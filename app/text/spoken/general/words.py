"""What a language's table says: the words of marks, how dates and times are said, abbreviations.

The names of months, currencies and units, and their plurals, are not here: they come from Unicode's
locale data (locale.py, app/text/spoken/icu.py).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

GROUPS = ". \N{NO-BREAK SPACE}\N{NARROW NO-BREAK SPACE}"


def _empty() -> Mapping[str, str]:
    return MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class Words:
    language: str
    decimal: str = ","  # between a number and its decimals
    groups: str = GROUPS  # between thousands
    point: str = ""  # the word for decimals that are said digit by digit; else ICU says them
    minus: str = "minus"
    percent: str = ""  # behind a number; else the locale data has it
    degrees: str = ""  # the word behind a number with a lone degree sign
    to: str = ""  # between the ends of a range
    ratio: str = ""  # between the numbers of 3:2
    by: str = ""  # between the sides of an area
    times: str = ""  # behind a factor: 10x
    over: str = ""  # between the numbers of a fraction without a name
    signs: Mapping[str, str] = field(default_factory=_empty)  # of arithmetic
    marks: Mapping[str, str] = field(default_factory=_empty)  # alone: & # §
    address: Mapping[str, str] = field(default_factory=_empty)  # in URLs and e-mail addresses
    abbreviations: Mapping[str, str] = field(default_factory=_empty)
    numbered: Mapping[str, str] = field(default_factory=_empty)  # abbreviations before a number
    # One and more; or one, few, many, and behind decimals.
    scales: Mapping[str, tuple[str, ...]] = field(default_factory=lambda: MappingProxyType({}))
    scale_link: str = ""  # between a million and its noun, with the space behind it: de
    scale_link_vowel: str = ""  # the same before a vowel: d'
    cents: Mapping[str, tuple[str, ...]] = field(default_factory=lambda: MappingProxyType({}))
    cents_link: str = ""  # between euros and cents: con
    genders: Mapping[str, str] = field(default_factory=_empty)  # of a noun: ICU's rule set for it
    fractions: Mapping[str, str] = field(default_factory=_empty)  # 1/2, 3/4
    date: Callable[[int, int, int | None, str], str] | None = None  # day, month, year, word before
    time: Callable[[int, int, int | None], str] | None = None  # hour, minute, second
    clock: Mapping[str, str] = field(default_factory=_empty)  # before a time with a point: kl. 9.30
    phones: str = ""  # a pattern of the telephone numbers that look like other numbers
    year: Callable[[int], str] | None = None
    agreement: Callable[[str], str] | None = None  # the gender that the text behind asks for
