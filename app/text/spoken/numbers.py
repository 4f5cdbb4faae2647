"""Numbers in words, in the 23 languages of the multilingual model.

The gender and the case of the noun beside a number are known to the caller alone. What was said is
kept.
"""

import re
from decimal import Decimal
from functools import lru_cache

from app.text.spoken.icu import spelled

MAX_DIGITS = 15  # more digits, and ICU gives digits back: they are said one by one
_NUM_KEPT = 4096
_DIGIT = re.compile(r"\d")
# The rule sets of ordinals that are not called ordinal-masculine.
_ORDINALS = {
    **dict.fromkeys(("de", "en", "fi", "ja", "ms", "nl", "sw", "tr", "zh"), "ordinal"),
    "da": "ordinal-neuter",
    "sv": "ordinal-neuter",
}


@lru_cache(_NUM_KEPT)
def cardinal(number: int, language: str, gender: str = "") -> str:
    """`gender`: masculine, feminine, neuter, reale; or none, as in counting. A number of more than
    MAX_DIGITS digits is said digit by digit."""
    if abs(number) >= 10**MAX_DIGITS:
        return digits(str(number), language)
    return spelled(number, language, f"cardinal-{gender}" if gender else "")


@lru_cache(_NUM_KEPT)
def year(number: int, language: str) -> str:
    return spelled(number, language, "numbering-year")


@lru_cache(_NUM_KEPT)
def decimal(number: str, language: str) -> str:
    """`number` is written with ASCII digits and a point: -10.05. Zeros at its end are not said."""
    return spelled(Decimal(number), language)


@lru_cache(_NUM_KEPT)
def ordinal(number: int, language: str, form: str = "") -> str:
    """`form` is what follows ordinal in the name of ICU's rule set: -feminine, -masculine-genitive.
    Korean has no ordinals here: the number is a cardinal."""
    return spelled(number, language, f"ordinal{form}" if form else ordinals_of(language))


def ordinals_of(language: str) -> str:
    return _ORDINALS.get(language, "ordinal-masculine")


def digits(text: str, language: str) -> str:
    """Every digit of the text as a word of its own. Other characters are dropped."""
    return " ".join(cardinal(int(digit), language) for digit in _DIGIT.findall(text))
