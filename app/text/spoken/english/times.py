"""Times of day and durations in English: 9:30PM, 14:05, 9 a.m., 12:30:15, 9am-5pm, 2h30m."""

import re

from app.text.spoken.english.numbers import DASH, MINUS, cardinal, number
from app.text.spoken.rules import Rule, rule, written

_HALF = r"(?P<half>[AaPp]\.\s?[Mm]\.|[AaPp][Mm]\b)"
_MAX_HOUR, _MAX_MINUTE, _NOON = 24, 59, 12
# Behind these words, or at the end, the point of p.m. does not end a sentence.
_GOES_ON = r"(?:on|to|Mon|Tue|Wed|Thu|Fri|Sat|Sun|[A-Z]{2,4}\b)"
_NEW_SENTENCE = re.compile(rf"$|\s+(?!{_GOES_ON})[A-Z]|\s*\n")


def half_of(match: re.Match[str], group: str = "half") -> str:
    """AM or PM, with the point that ends the sentence too."""
    half = written(match, group)
    if not half:
        return ""
    said = f" {half[0].upper()}M"
    ends = half.endswith(".") and _NEW_SENTENCE.match(match.string, match.end(group))
    return f"{said}." if ends else said


def clock(hour: str, minute: str, half: str) -> str | None:
    """None for what is no time of day."""
    if int(hour) > _MAX_HOUR or int(minute) > _MAX_MINUTE:
        return None
    said = cardinal(int(hour))
    if int(minute):
        return f"{said} {'oh ' if int(minute) < 10 else ''}{cardinal(int(minute))}{half}"
    if half:
        return f"{said}{half}"
    if 0 < int(hour) <= _NOON:
        return f"{said} o'clock"
    return f"{said} hundred hours" if int(hour) else "midnight"


def _say_clock(match: re.Match[str]) -> str | None:
    said = clock(match["hour"], match["minute"], half_of(match))
    second = written(match, "second")
    if said is None or not second or not int(second):
        return said
    seconds = f"{cardinal(int(second))} {'second' if int(second) == 1 else 'seconds'}"
    minutes = clock(match["hour"], match["minute"], "")
    return f"{minutes} and {seconds}{half_of(match)}"


def _say_hour(match: re.Match[str]) -> str:
    return f"{cardinal(int(match['hour']))}{half_of(match)}"


def _say_hours(match: re.Match[str]) -> str:
    return f"{cardinal(int(match['from']))} to {cardinal(int(match['hour']))}{half_of(match)}"


def _say_half(match: re.Match[str]) -> str:
    return half_of(match).strip()


_PARTS = (("days", "day"), ("hours", "hour"), ("minutes", "minute"), ("seconds", "second"))


def _say_duration(match: re.Match[str]) -> str:
    said = []
    for group, one in _PARTS:
        if match[group]:
            number = int(match[group])
            said.append(f"{cardinal(number)} {one}{'' if number == 1 else 's'}")
    return " ".join(said)


def _say_at(match: re.Match[str]) -> str:
    return " at "


def _say_utc(match: re.Match[str]) -> str:
    return " U T C"


def _say_run(match: re.Match[str]) -> str:
    """The time of a race: 3:45.2"""
    minutes, second = int(match["minutes"]), number(f"{int(match['second'])}.{match['tenths']}")
    return f"{cardinal(minutes)} minute{'' if minutes == 1 else 's'} {second} seconds"


def _say_zone(match: re.Match[str]) -> str:
    """UTC-8"""
    minute = int(match["minute"] or 0)
    said = f" {'plus' if match['sign'] == '+' else 'minus'} {cardinal(int(match['hour']))}"
    return f"{said} {cardinal(minute)}" if minute else said


# Behind a date, whose characters are taken.
RULES: tuple[Rule, ...] = (
    rule(r"(?<=\0)T(?=\d\d:\d\d)", _say_at),
    rule(
        rf"""(?<![\w:.,/])(?P<hour>[01]?\d|2[0-4])(?P<sep>[:.])(?P<minute>[0-5]\d)
        (?::(?P<second>[0-5]\d)(?:\.\d+)?)?\s?{_HALF}""",
        _say_clock,
    ),
    rule(
        r"""(?<![\w:.,/])(?P<hour>[01]?\d|2[0-4]):(?P<minute>[0-5]\d)
        (?::(?P<second>[0-5]\d)(?:\.\d+)?)?(?P<half>)(?![^\WZ]|[:%])(?!\.\d)""",
        _say_clock,
    ),
    rule(
        r"""(?<![\w:.,/])(?P<minutes>\d{1,2}):(?P<second>[0-5]\d)\.(?P<tenths>\d{1,3})
        (?:\smin(?:utes?)?\b)?(?!\w|[:.]\d|\s?[ap]\.?m)""",
        _say_run,
    ),
    rule(r"(?<=\0)Z\b", _say_utc),
    rule(
        rf"""(?<=\b(?:UTC|GMT))\s?(?P<sign>\+|{MINUS})(?P<hour>1[0-4]|0?\d)
        (?::?(?P<minute>00|15|30|45))?(?![\w:])""",
        _say_zone,
    ),
    rule(
        rf"(?<![\w:.,/-])(?P<from>1[0-2]|[1-9])\s?{DASH}\s?(?P<hour>1[0-2]|0?[1-9])\s?{_HALF}",
        _say_hours,
    ),
    rule(rf"(?<![\w:.,/])(?P<hour>1[0-2]|0?[1-9])\s?{_HALF}", _say_hour),
    rule(r"(?<=\d\s)(?P<half>[ap]\.m\.)", _say_half),
    rule(
        r"""(?<![\w:.,/])(?:(?P<days>\d+)d\s?)?(?:(?P<hours>\d+)h\s?)(?P<minutes>\d+)(?:m|min)
        (?:\s?(?P<seconds>\d+)(?:s|sec))?\b""",
        _say_duration,
    ),
    rule(
        r"""(?<![\w:.,/])(?P<days>)(?P<hours>)
        (?P<minutes>\d+)(?:m|min)\s?(?P<seconds>\d+)(?:s|sec)\b""",
        _say_duration,
    ),
)
