"""Numbers that are said digit by digit in English: phones, codes, cards, serial numbers."""

import re

from app.text.spoken.english.numbers import code, digits, spelled
from app.text.spoken.rules import Rule, rule

_GROUPS = re.compile(r"\+|\d+|x|ext", re.IGNORECASE)
# In upper or lower case.
_CODED = (
    "code|pin|passcode|password|otp|zip|account|serial|tracking|order|ticket|case|invoice|id|card|"
    "reference|ref|confirmation"
)
_LETTERED = (
    "[Ss]eat|[Uu]nit|[Ff]lat|[Rr]ow|[Pp]latform|[Ss]ection|[Ee]xhibit|[Tt]erminal|[Bb]lock|"
    "[Bb]uilding|[Tt]rack|[Bb]ay|[Ll]ocker|[Cc]lass|[Gg]rade|[Ff]orm|[Tt]able|[Ff]igure"
)
_STREET = "St|Street|Ave|Avenue|Rd|Road|Lane|Ln|Dr|Drive|Blvd|Way|Court|Ct|Place|Pl|Square|Terrace"
# Order 500 books, in case 10-20 come: an amount
_AMOUNT = r"(?!(?:Order|Case)\s\d{1,3}\b)(?!(?i:order|case)\s\d+[ -]\d)"
_CODE = r"\d{3,}(?:[ -]\d{2,})*|\d{2}(?:[ -]\d{2}){2,}"
_PLACED = (
    "[Rr]oom|[Ff]light|[Gg]ate|[Aa]partment|Apt\\.|[Ss]uite|[Bb]us|line|[Rr]oute|[Hh]ighway|"
    "Interstate"
)


def _say_groups(match: re.Match[str]) -> str:
    """A comma between the groups. 800 and the like are said as hundreds."""
    said, plus = [], ""
    for group in _GROUPS.findall(match[0]):
        if group == "+":
            plus = "plus "
        elif not group.isdecimal():
            plus = "extension "
        else:
            said.append(plus + _group(group))
            plus = ""
    return ", ".join(said)


def _group(group: str) -> str:
    is_toll_free = group in ("800", "900")
    return f"{digits(group[0])} hundred" if is_toll_free else digits(group)


def _say_named(match: re.Match[str]) -> str:
    return f"{_say_groups(match)}, "


def _say_spelled(match: re.Match[str]) -> str:
    return ", ".join(spelled(group) for group in re.findall(r"\w+", match["digits"]))


def _say_digits(match: re.Match[str]) -> str:
    return digits(match["digits"])


def _say_code_groups(match: re.Match[str]) -> str:
    """A comma between the groups."""
    return ", ".join(spelled(group) for group in re.findall(r"\w+", match["form"]))


def _say_one_piece(match: re.Match[str]) -> str:
    """A phone number of ten digits, as if it were written in groups."""
    phone = match["form"]
    return ", ".join(digits(group) for group in (phone[:3], phone[3:6], phone[6:]))


def _say_lettered(match: re.Match[str]) -> str:
    return f"{code(match['digits'])} {match['letter']}"


def _say_vulnerability(match: re.Match[str]) -> str:
    year_of_it, serial = match["form"].strip("-").split("-")
    return f" {code(year_of_it)}, {digits(serial)}"


def _say_code(match: re.Match[str]) -> str:
    return code(match["digits"])


_EXTENSION = r"(?:,?\s?(?:x|ext\.?|extension)\s?\d{1,5})?"
RULES: tuple[Rule, ...] = (
    # +1 206-555-0147, (206) 555-0147, 1-800-555-0199, 206.555.0147
    rule(
        rf"""(?<![\w.,-])(?:\+?\d{{1,3}}[\s.-]?)?
        (?:\(\d{{3}}\)\s?|\d{{3}}[\s.-])\d{{3}}[\s.-]\d{{4}}
        {_EXTENSION}(?![\w-])""",
        _say_groups,
    ),
    # +44 20 7946 0958, +49 (0)30 123456
    rule(r"(?<!\w)\+\d{1,3}(?:[\s.-]?\(?\d{1,5}\)?){1,5}(?:[\s.-]?\d{2,})(?![\w-])", _say_groups),
    rule(r"(?<![\w.,-])0\d{2,4}[\s-]\d{3,4}[\s-]?\d{3,4}(?![\w-])", _say_groups),
    rule(rf"(?<![\w.,$€£-])[2-9]\d{{2}}-\d{{4}}{_EXTENSION}(?![\w-])", _say_groups),
    # the groups of a card, or of a social security number
    rule(
        r"(?<![\w.,-])\d{4}(?:[\s-]\d{4}){2,4}(?![\w-])|(?<![\w-])\d{3}-\d{2}-\d{4}(?![\w-])",
        _say_groups,
    ),
    rule(
        rf"""\b{_AMOUNT}(?i:{_CODED})(?:\snumber|\scode)?(?:\sis)?:?\s\#?
        (?P<form>{_CODE})(?![\w%]|[.,:/-]\d)""",
        _say_code_groups,
    ),
    rule(r"\bISBN(?:-1[03])?:?\s(?P<form>\d[\d-]{8,15}[\dX])(?![\w-])", _say_code_groups),
    rule(r"(?<=\bCVE)(?P<form>-\d{4}-\d{4,7})(?![\w-])", _say_vulnerability),
    # 2065550147
    rule(
        r"(?<![\w.,$€£¥#-])(?P<form>[2-9]\d{6}(?!000)\d{3})(?![\w%]|[.,:/-]\d)",
        _say_one_piece,
    ),
    # Room 12A, 221B Baker St
    rule(
        rf"""\b(?:{_PLACED}|{_LETTERED})\s(?P<form>(?P<digits>[1-9]\d{{0,3}})(?P<letter>[A-Z]))
        (?![\w%]|[.,:/-]\d)""",
        _say_lettered,
    ),
    rule(
        rf"""(?<![\w.,$€£#-])(?P<digits>[1-9]\d{{0,3}})(?P<letter>[A-H])
        (?=\s(?:[A-Z][a-z]+\s){{1,2}}(?:{_STREET})\b)""",
        _say_lettered,
    ),
    rule(rf"\b(?:{_PLACED})\s(?P<form>(?P<digits>\d{{3,4}}))(?![\w%]|[.,:/-]\d)", _say_code),
    rule(r"(?<![\w-])(?:1-)?8\d\d-(?=[A-Z]{3})", _say_named),
    rule(r"(?<![\w-])(?P<digits>9-1-1|(?:[0-9A-F]{2}:){5}[0-9A-F]{2})(?![\w-])", _say_spelled),
    # a ZIP code behind a state
    rule(r"\b[A-Z]{2}\s(?P<form>(?P<digits>\d{5}(?:-\d{4})?))(?![\w-])", _say_digits),
    rule(r"(?<=\b[Cc]all\s)(?P<digits>911|112|999|411|311|211|988)\b", _say_digits),
    rule(r"(?<![\w.,$€£-])(?P<digits>911)(?!\w|[.,]\d)", _say_digits),
)
