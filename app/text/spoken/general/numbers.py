"""Numbers as a language writes them: its digits, and its marks between them."""
# ruff: noqa: RUF001

import re
from functools import cache

from app.text.spoken import numbers
from app.text.spoken.general.words import Words
from app.text.spoken.icu import plural_of

MINUS = "[-\N{MINUS SIGN}]"
DASH = "[-\N{EN DASH}\N{EM DASH}]"
_ARABIC = str.maketrans({"٫": ".", "٬": ""})


@cache
def number_pattern(decimal: str, groups: str) -> str:
    """A regular expression. Thousands are divided by one mark; a point that divides none stands
    before decimals, in languages with a comma, too."""
    group, mark = re.escape(groups), re.escape(decimal)
    lakh = r"\d{1,2}(?:,\d{2})+,\d{3}(?!\d)|" if groups == "," else ""
    whole = rf"(?:{lakh}\d{{1,3}}(?:[{group}٬]\d{{3}})+(?!\d)|\d+)"
    tail = rf"(?:[{mark}٫]\d+)?"
    if decimal == ",":
        return rf"(?:\d+\.(?!\d{{3}}(?!\d))\d+(?!\.?\d)|{whole}{tail})"
    return rf"(?:{whole}{tail}|[{mark}]\d+)"


def canonical(written: str, words: Words) -> str:
    """ASCII digits, a point before the decimals, and a minus sign."""
    sign = "-" if written[:1] in "-\N{MINUS SIGN}" else ""
    bare = written.lstrip("+-\N{MINUS SIGN}").translate(_ARABIC)
    whole, mark, fraction = bare.rpartition(words.decimal)
    if not mark:
        whole, fraction = bare, ""
        head, point, tail = bare.rpartition(".")
        is_thousands = "." in words.groups and re.fullmatch(r"\d{1,3}(?:\.\d{3})+", bare)
        if point and not is_thousands:
            whole, fraction = head, tail
    whole = "".join(str(int(char)) for char in whole if char.isdecimal())
    fraction = "".join(str(int(char)) for char in fraction if char.isdecimal())
    return sign + (whole or "0") + (f".{fraction}" if fraction else "")


def say_number(number: str, words: Words, gender: str = "") -> str:
    """`number` is canonical. `gender` is a rule set of ICU, for the noun behind the number."""
    sign, bare = (f"{words.minus} ", number[1:]) if number.startswith("-") else ("", number)
    whole, _, fraction = bare.partition(".")
    language = words.language
    if len(whole) > numbers.MAX_DIGITS or (len(whole) > 1 and whole[0] == "0"):
        said = numbers.digits(whole, language)
    elif fraction and not words.point:
        return sign + numbers.decimal(bare, language)
    else:
        said = numbers.cardinal(int(whole), language, "" if fraction else gender)
    if fraction:
        said = f"{said} {words.point} {numbers.digits(fraction, language)}"
    return sign + said


def scale_word(number: str, forms: tuple[str, ...], language: str) -> str:
    """Million or millions. `forms` are as in `Words.scales`; `number` is canonical."""
    if len(forms) == 2:
        return forms[0] if number in ("1", "-1") else forms[1]
    if "." in number:
        return forms[3]
    return forms[{"one": 0, "few": 1}.get(plural_of(int(number), language), 2)]
