"""Dates, years and decades in English: 2026-11-24, 11/24/2026, Nov. 24, 24 November 2026, 1990s."""
# ruff: noqa: RUF001

import re

from app.text.spoken.english.abbreviations import with_end
from app.text.spoken.english.numbers import DASH, cardinal, ordinal, plural_of, year
from app.text.spoken.rules import Rule, rule, written

MONTHS = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September",
    "October", "November", "December",
)  # fmt: skip
DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_MONTH_OF = {month[:3].lower(): month for month in MONTHS}
_DAY_OF = {day[:3].lower(): day for day in DAYS}
_SHORT_MONTH = "Jan|Feb|Mar|Apr|Jun|Jul|Aug|Sept|Sep|Oct|Nov|Dec"
SHORT_MONTHS = frozenset(_SHORT_MONTH.split("|"))
_MONTH = rf"(?P<month>{'|'.join(MONTHS)}|(?:{_SHORT_MONTH})(?:\.|\b))"
_SHORT_DAY = "Mon|Tues|Tue|Wed|Thurs|Thur|Thu|Fri|Sat|Sun"
_YEAR = r"(?P<year>1\d{3}|20\d{2})"
_DAY = r"(?P<day>0?[1-9]|[12]\d|3[01])"
_TO_DAY = rf"(?:\s?{DASH}\s?(?P<to_day>0?[1-9]|[12]\d|3[01]))?"
_MAX_MONTH, _MAX_DAY = 12, 31


def _day(written_day: str) -> str:
    return ordinal(int(written_day))


def _say_iso(match: re.Match[str]) -> str | None:
    return _date(match["year"], int(match["month"]), int(match["day"]))


def _say_numeric(match: re.Match[str]) -> str | None:
    """The month first, as in the United States, unless it can only be the day."""
    first, second = int(match["first"]), int(match["second"])
    month, day = (second, first) if first > _MAX_MONTH else (first, second)
    full = match["year"] if len(match["year"]) == 4 else f"20{match['year']}"
    return _date(full, month, day)


def _date(full_year: str, month: int, day: int) -> str | None:
    if not (1 <= month <= _MAX_MONTH and 1 <= day <= _MAX_DAY):
        return None
    return f"{MONTHS[month - 1]} {ordinal(day)}, {year(full_year)}"


def _say_short(match: re.Match[str]) -> str | None:
    month, day = int(match["first"]), int(match["second"])
    if not (1 <= month <= _MAX_MONTH and 1 <= day <= _MAX_DAY):
        return None
    return f"{MONTHS[month - 1]} {ordinal(day)}"


def _month(match: re.Match[str]) -> str:
    return _MONTH_OF[match["month"][:3].lower()]


def _say_month_day(match: re.Match[str]) -> str:
    day = _day(match["day"])
    if match["to_day"]:
        day = f"{day} to {_day(match['to_day'])}"
    said = f"{_month(match)} {day}"
    return f"{said}, {year(match['year'])}" if match["year"] else said


def _say_day_month(match: re.Match[str]) -> str:
    day = _day(match["day"])
    if match["to_day"]:
        day = f"{day} to {_day(match['to_day'])}"
    article = "" if written(match, "the") else "the "
    said = f"{written(match, 'the')}{article}{day} of {_month(match)}"
    return f"{said}, {year(match['year'])}" if match["year"] else said


def _say_month_year(match: re.Match[str]) -> str:
    return f"{_month(match)} {year(match['year'])}"


def _say_month(match: re.Match[str]) -> str:
    return with_end(_month(match), match)


def _say_weekday(match: re.Match[str]) -> str:
    return _DAY_OF[match[0][:3].lower()]


def _say_weekdays(match: re.Match[str]) -> str:
    said = f"{_DAY_OF[match['day'][:3].lower()]} to {_DAY_OF[match['to'][:3].lower()]}"
    return with_end(said, match)


def _say_year(match: re.Match[str]) -> str:
    return year(match[0])


def _say_short_year(match: re.Match[str]) -> str:
    return f" to {cardinal(int(match['short']))}"


def _say_decade(match: re.Match[str]) -> str:
    decade = match["decade"]
    if len(decade) == 4 and decade.endswith("00"):
        words = year(decade)  # the 1800s: eighteen hundreds
        return plural_of(words)
    if len(decade) == 4:
        return f"{cardinal(int(decade[:2]))} {plural_of(cardinal(int(decade[2:])))}"
    return plural_of(cardinal(int(decade)))


# A noun in the plural behind the digits is counted: they are no year.
_VERB = r"(?:was|is|has|as|its|this|thus|does|sees|always|across|versus)\b"
_NO_COUNT = rf"""(?:(?=\s{_VERB})
    |(?!\s(?:[a-z]+s|people|men|women|children|percent|million|billion|feet|more|fewer)\b))"""
_IN = "|".join(
    rf"(?<=\b[{word[0].upper()}{word[0]}]{word[1:]}\s)"
    for word in ("in", "since", "by", "until", "till", "before", "after", "during", "year", "from")
)
_BEFORE_YEAR = r"(?<![\w.,$€£¥#+:/-])"
_NO_YEAR = r"(?![\w%°€$£]|[,.:/]\d|[-\N{EN DASH}]\d)"
_PLAIN_YEAR = rf"(?:1[1-9]\d\d|20\d\d){_NO_YEAR}"
_WEEKDAYS = rf"""\b(?P<day>{_SHORT_DAY})\.?\s?{DASH}\s?(?P<to>{_SHORT_DAY})\b\.?"""
_OF_A_DECADE = (
    "music|rock|pop|disco|fashion|style|styles|movies?|films?|hits?|kids?|nostalgia|songs?|bands?|"
    "shows?|era|vibes?|cartoons?|sitcoms?|playlist"
)

RULES: tuple[Rule, ...] = (
    rule(
        r"""(?<![\w-])(?P<year>\d{4})(?P<sep>[-/.])(?P<month>\d\d?)(?P=sep)(?P<day>\d\d?)
        (?:(?=T\d{2}:\d{2})|(?![\w-])(?!\.\d))""",
        _say_iso,
    ),
    rule(
        r"""(?<![\w/.-])(?P<first>\d\d?)(?P<sep>[/.-])(?P<second>\d\d?)(?P=sep)
        (?P<year>\d{4}|\d\d)(?![\w/-])(?!\.\d)""",
        _say_numeric,
    ),
    rule(r"(?<=\b[oO]n\s)(?P<first>\d\d?)/(?P<second>\d\d?)(?![\w/-])(?!\.\d)", _say_short),
    rule(
        rf"""\b{_MONTH}\s(?:the\s)?{_DAY}(?:st|nd|rd|th)?(?![\d:])(?!\.\d)(?!\s?[ap]\.?m\b)
        {_TO_DAY}(?!\w)(?:,?\s{_YEAR}(?!\w|[,.]\d))?""",
        _say_month_day,
    ),
    rule(
        rf"""(?<![\w.,$€£:-])(?P<the>\b[Tt]he\s)?{_DAY}(?:st|nd|rd|th)?{_TO_DAY}(?:st|nd|rd|th)?
        \s(?:of\s)?{_MONTH}(?:,?\s{_YEAR}(?!\w|[,.]\d))?""",
        _say_day_month,
    ),
    rule(rf"\b{_MONTH},?\s{_YEAR}(?!\w|[,.]\d)", _say_month_year),
    rule(rf"\b(?P<month>(?:{_SHORT_MONTH})\.)(?=\s|$|,)", _say_month),
    rule(_WEEKDAYS, _say_weekdays),
    rule(
        rf"""\b(?:{_SHORT_DAY})\b
        (?:\.(?=,|\s[a-z])|\.?(?=,?\s(?:{"|".join(MONTHS)}|{_SHORT_MONTH}|\d)))""",
        _say_weekday,
    ),
    rule(r"(?<![\w.,$€£])(?<!\d-)(?P<decade>1[1-9]\d0|20\d0)['’]?s\b", _say_decade),
    rule(
        r"""(?:(?<=\bthe\s)|(?<=\b(?:early|their)\s)|(?<=\b(?:late|mid-)\s)|(?<=\bmid-)
        |(?<=\bh(?:er|is)\s)|(?<!\w)['’])
        (?P<decade>[2-9]0)['’]?s\b""",
        _say_decade,
    ),
    rule(
        rf"(?<![\w.,$€£-])(?P<decade>[2-9]0)['’]?s(?=\s(?:{_OF_A_DECADE})\b)",
        _say_decade,
    ),
    rule(r"(?<=(?:1[1-9]|20)\d\d)[-\N{EN DASH}](?P<short>\d\d)(?![\w-])(?!\.\d)", _say_short_year),
)
YEAR_RULES: tuple[Rule, ...] = (
    rule(rf"(?:{_IN})(?:1\d{{3}}|20\d\d){_NO_YEAR}", _say_year),
    rule(rf"{_BEFORE_YEAR}{_PLAIN_YEAR}(?!-[a-z]){_NO_COUNT}", _say_year),
)
