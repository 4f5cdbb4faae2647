"""How most languages say a day, and a time on the clock: numbers, one behind the other."""

from collections.abc import Callable

from app.text.spoken import numbers
from app.text.spoken.icu import month_name


def date_with(
    language: str, of: str, first: str = ""
) -> Callable[[int, int, int | None, str], str]:
    """`of` stands between the day, the month and the year. `first` is the first of a month, where
    that is said with an ordinal."""

    def date(day: int, month: int, year: int | None, before: str) -> str:
        day_said = first if first and day == 1 else numbers.cardinal(day, language)
        said = f"{day_said}{of}{month_name(month, language)}"
        return f"{said}{of}{numbers.cardinal(year, language)}" if year else said

    return date


def date_of_ordinals(language: str, form: str = "") -> Callable[[int, int, int | None, str], str]:
    """24. november: the day is an ordinal, and the year a number."""

    def date(day: int, month: int, year: int | None, before: str) -> str:
        said = f"{numbers.ordinal(day, language, form)} {month_name(month, language)}"
        return f"{said} {numbers.cardinal(year, language)}" if year else said

    return date


def time_with(language: str, behind_hour: str = "") -> Callable[[int, int, int | None], str]:
    def time(hour: int, minute: int, second: int | None) -> str:
        said = numbers.cardinal(hour, language) + behind_hour
        behind = [minute, second] if second else [minute] if minute else []
        for part in behind:
            zero = f"{numbers.cardinal(0, language)} " if part < 10 else ""
            said += f" {zero}{numbers.cardinal(part, language)}"
        return said

    return time
