"""English numbers: plain, of years, digit by digit, and with a word for the million behind them."""

import re

from app.text.spoken import numbers

# Between thousands stand commas or spaces; 1,50,000 counts lakhs. Of two numbers in a row, as in
# 5 100 m races, only some can be one number.
_LAKHS = r"\d{1,2}(?:,\d{2})+,\d{3}(?!\d)"
_COUNTED = "[ ](?:km|kg|g|MW|kW|people|inhabitants|years|dollars|euros)\\b"
_SPACED = rf"""(?<!\d[ ])[1-9]\d{{0,2}}(?:(?:[ ]\d{{3}}){{2,}}|[ ]000|
    [ ]\d{{3}}(?={_COUNTED}))(?![ ]?\d)"""
NUMBER = rf"(?:{_LAKHS}|{_SPACED}|\d{{1,3}}(?:,\d{{3}})+(?!\d)|\d+)(?:\.\d+)?|\.\d+"
MINUS = "[-\N{MINUS SIGN}]"
DASH = "[-\N{EN DASH}\N{EM DASH}]"
SCALES = {
    "k": "thousand",
    "m": "million",
    "mn": "million",
    "mm": "million",
    "b": "billion",
    "bn": "billion",
    "t": "trillion",
    "tn": "trillion",
}
SCALE_WORD = "hundred|thousand|million|billion|trillion|quadrillion|lakhs?|crores?"
_LAKH, _CRORE = 10**5, 10**7
_GROUPED_IN_LAKHS = re.compile(rf"{_LAKHS}(?:\.\d+)?")
_SEPARATORS = re.compile(r"[,\s]")


def cardinal(number: int) -> str:
    return numbers.cardinal(number, "en")


def ordinal(number: int) -> str:
    return numbers.ordinal(number, "en")


def digits(written: str) -> str:
    """Digit by digit."""
    return numbers.digits(written, "en")


def _in_lakhs(value: int) -> str:
    crores, rest = divmod(value, _CRORE)
    lakhs, rest = divmod(rest, _LAKH)
    said = [cardinal(crores) + " crore"] if crores else []
    said += [cardinal(lakhs) + " lakh"] if lakhs else []
    said += [cardinal(rest)] if rest or not said else []
    return " ".join(said)


def without_separators(written: str) -> str:
    return _SEPARATORS.sub("", written)


def number(written: str) -> str:
    """As NUMBER writes it, with or without a sign. A number with leading zeros, and one that is too
    long, is said digit by digit."""
    sign = {"-": "minus ", "\N{MINUS SIGN}": "minus ", "+": "plus "}.get(written[:1], "")
    bare = written.lstrip("+-\N{MINUS SIGN}")
    is_indian = _GROUPED_IN_LAKHS.fullmatch(bare)
    whole, _, fraction = without_separators(bare).partition(".")
    is_plain = len(whole) <= numbers.MAX_DIGITS and (whole[:1] != "0" or whole == "0")
    words = (cardinal(int(whole)) if is_plain else digits(whole)) if whole else ""
    if is_indian:
        words = _in_lakhs(int(whole))
    if fraction:
        words = f"{words} point {digits(fraction)}".strip()
    return sign + words


def is_one(written: str) -> bool:
    """Whether the noun behind the number is in the singular."""
    return written.lstrip("+-\N{MINUS SIGN}") == "1"


def year(written: str) -> str:
    """1066, 1905 and 2024 in pairs; 2000 to 2009, and round thousands, as numbers."""
    value = int(written)
    century, rest = divmod(value, 100)
    if len(written) != 4 or (century % 10 == 0 and rest < 10):
        return cardinal(value)
    if rest == 0:
        return f"{cardinal(century)} hundred"
    return f"{cardinal(century)} {'oh ' if rest < 10 else ''}{cardinal(rest)}"


def plural_of(words: str) -> str:
    """nineties, sixes, twenty tens."""
    if words.endswith("y"):
        return f"{words[:-1]}ies"
    return f"{words}es" if words.endswith(("x", "s")) else f"{words}s"


def code(written: str) -> str:
    """A number that names something, as on a door: two digits at a time up to four, else digits."""
    value = written.lstrip("0")
    if value != written or len(written) > 4:
        return digits(written)
    if len(written) == 4:
        return year(written)
    if len(written) == 3 and written[1:] != "00":
        rest = int(written[1:])
        return f"{cardinal(int(written[0]))} {'oh ' if rest < 10 else ''}{cardinal(rest)}"
    return cardinal(int(written))


def spelled(letters: str) -> str:
    """Letter by letter, and digit by digit."""
    said = [digits(char) if char.isdecimal() else char.upper() for char in letters]
    return " ".join(said)


def matched(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern, re.VERBOSE)
