"""Unicode's locale data, by the library ICU: numbers in words, names and plurals of units, of
currencies and of months. Imported with the first number; its formatters are kept."""

import re
from datetime import datetime
from decimal import Decimal
from functools import cache, lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from icu4py.messageformat import MessageFormat

Value = int | str | Decimal | datetime
SOFT_HYPHEN = "\N{SOFT HYPHEN}"  # ICU shows with it where a long number could be broken
_LOCALES = {"no": "nb"}
# Arabic hundreds are one word, which the locale data writes as two. A Greek word has one accent,
# and ninety one nu. Danish counts in the common gender, in ordinals too.
# Polish tens end in ćdziesiąt.
_CORRECTIONS = {
    "da": {"etog": "enog"},
    "pl": {"dziewiętdziesiąt": "dziewięćdziesiąt", "piętdziesiąt": "pięćdziesiąt",
           "szesdziesiąt": "sześćdziesiąt"},
    "el": {"χίλιάδες": "χιλιάδες", "εννενήντα": "ενενήντα"},
    "ar": {
        "ثلاثة مائة": "ثلاثمائة", "أربعة مائة": "أربعمائة", "خمسة مائة": "خمسمائة",
        "ستة مائة": "ستمائة",
        "سبعة مائة": "سبعمائة", "ثمانية مائة": "ثمانمائة", "تسعة مائة": "تسعمائة", "إثنان": "اثنان",
        "إثنا": "اثنا",
    },
}  # fmt: skip
_WRITTEN_NUMBER = re.compile(r"[-\N{MINUS SIGN}\u200e\u200f]*\d[\d.,\N{ARABIC DECIMAL SEPARATOR}]*")


@cache
def _formatter(pattern: str, language: str) -> "MessageFormat":
    from icu4py.messageformat import MessageFormat  # noqa: PLC0415 (40 MB)

    return MessageFormat(pattern, _LOCALES.get(language, language))


def formatted(value: Value, how: str, language: str) -> str:
    """`how` is the type and style of an argument in ICU's messages. A style that the language lacks
    is its plain one."""
    words: str = _formatter(f"{{value,{how}}}", language).format({"value": value})
    return words.replace(SOFT_HYPHEN, "").replace("\N{NO-BREAK SPACE}", " ")


def spelled(number: int | Decimal, language: str, rules: str = "") -> str:
    """In words. `rules` names a rule set: cardinal-feminine, numbering-year, ordinal."""
    words = formatted(number, f"spellout,%spellout-{rules}" if rules else "spellout", language)
    for wrong, right in _CORRECTIONS.get(language, {}).items():
        words = words.replace(wrong, right)
    return " ".join(words.split())


@lru_cache(4096)
def counted(number: str, words: str, unit: str, language: str) -> str:
    """A number with its unit in the right plural and place: `words` is what the number is said as.

    `number` has ASCII digits and a point. `unit` is a stem of ICU's number skeletons: unit/meter or
    currency/EUR."""
    precision = "precision-integer" if unit.startswith("currency") else ".###"
    how = f"number,::{unit} unit-width-full-name {precision} group-off latin"
    return _WRITTEN_NUMBER.sub(words, formatted(Decimal(number), how, language), count=1)


def plural_of(number: int, language: str) -> str:
    """one, two, few, many or other."""
    names = "".join(f" {name}{{{name}}}" for name in ("one", "two", "few", "many", "other"))
    return formatted(number, f"plural,{names}", language)


@lru_cache(64)
def month_name(number: int, language: str) -> str:
    """As it stands behind a day: ноября."""
    said = formatted(datetime(2001, number, 1), "date,::dMMMM", language)
    return _bare_month(said)


def _bare_month(said: str) -> str:
    """Without the day, and without the word between them: 1 de mayo."""
    return re.sub(r"^[\d.\s]+(?:de |di |do )?|[\d.\s]+$", "", said.replace("1er ", ""))


@cache
def months_of(language: str) -> dict[str, int]:
    """Every name and abbreviation of a month in lower case, and its number."""
    names: dict[str, int] = {}
    for number in range(1, 13):
        day = datetime(2001, number, 1)
        for style in ("::LLL", "::LLLL", "::MMM", "::MMMM", "::dMMM", "::dMMMM"):
            name = _bare_month(formatted(day, f"date,{style}", language)).lower()
            if any(char.isalpha() for char in name):
                names[name] = number
    return names
