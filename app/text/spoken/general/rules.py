"""The rules of a language that has a table: how its written forms are found.

The words come from the table and from Unicode's locale data.
"""
# ruff: noqa: RUF001

import re
from collections.abc import Callable

from app.text.spoken import numbers
from app.text.spoken.general.locale import (
    currencies_of,
    currency_name,
    noun_of,
    unit_phrase,
    units_of,
)
from app.text.spoken.general.numbers import (
    MINUS,
    canonical,
    number_pattern,
    say_number,
    scale_word,
)
from app.text.spoken.general.words import Words
from app.text.spoken.icu import months_of, plural_of
from app.text.spoken.rules import Rule, alternatives, rule, written

_VOWELS = "aeiouhé"
Say = Callable[[re.Match[str]], str | None]


def dates(words: Words) -> list[Rule]:
    """24.11.2026, 24/11/2026, 2026-11-24, 24. November 2026. The word before gives its case."""
    say_date = words.date
    if say_date is None:
        return []
    months = months_of(words.language)

    def say(match: re.Match[str]) -> str | None:
        named = written(match, "name").lower().rstrip(".")
        month = months.get(named) or months.get(f"{named}.") or int(written(match, "month") or 0)
        year, before = written(match, "year"), written(match, "before").strip().lower()
        full = int(year) + (2000 if len(year) == 2 else 0) if year else None
        is_date = 1 <= month <= 12 and 1 <= int(match["day"]) <= 31
        if not year and written(match, "sep") and not _is_day(match, words, before):
            return None
        return say_date(int(match["day"]), month, full, before) if is_date else None

    before = r"(?:(?<!\w)(?P<before>[^\W\d]+)\s)?"
    linked = r"(?:\s(?:de|del|of))?\s"
    name = (
        rf"(?P<name>(?:{alternatives(months)})(?:\.(?=\s?\d|\s(?-i:[a-zà-ÿ])))?)(?P<month>)(?!\w)"
    )
    return [
        rule(
            rf"""{before}(?P<form>(?<![\w.-])(?P<year>\d{{4}})-(?P<month>\d\d?)-(?P<day>\d\d?))
            (?P<name>)(?![\w-])""",
            say,
        ),
        rule(
            rf"""{before}(?P<form>(?<![\w/.:-])(?P<day>\d\d?)(?P<sep>[./-])\s?
            (?P<month>\d\d?)(?P=sep)\s?(?P<year>\d{{4}}|\d\d)?)(?P<name>)(?![\w/-])(?!\.\d)""",
            say,
        ),
        rule(
            rf"""{before}(?P<form>(?<![\w.,-])(?P<day>\d\d?)(?:\.|er|º|-го|:e)?{linked}{name}
            (?:(?:\s(?:de|del|of))?\s(?P<year>\d{{4}})(?!\d|[,.]\d))?)""",
            say,
            re.IGNORECASE,
        ),
    ]


_BEFORE_A_DAY = frozenset(
    ("am", "vom", "bis", "zum", "ab", "seit", "der", "den", "dem", "il", "al", "dal", "del", "le",
     "el", "em", "op", "tot", "с", "до", "от", "к", "на", "по", "på", "στις", "du", "au", "dia")
)  # fmt: skip


def _is_day(match: re.Match[str], words: Words, before: str) -> bool:
    """3.5. is a day behind a preposition, in German within a sentence too; else it is a number and
    the end of a sentence."""
    if words.decimal == "." or match["sep"] != ".":
        return False
    is_inside = re.match(r"\s?[a-zäöü–-]", match.string[match.end() :]) is not None
    return before in _BEFORE_A_DAY or (words.language == "de" and is_inside)


def times(words: Words) -> list[Rule]:
    say_time = words.time
    if say_time is None:
        return []

    def say(match: re.Match[str]) -> str | None:
        second = written(match, "second")
        return say_time(int(match["hour"]), int(match["minute"]), int(second) if second else None)

    def say_at(match: re.Match[str]) -> str | None:
        before = match["before"]
        said = words.clock[before.lower()]
        said = said.capitalize() if before[0].isupper() else said
        return f"{said} {say(match)}"

    clock = r"(?P<hour>[01]?\d|2[0-4])"
    minute = r"(?P<minute>[0-5]\d)(?![\w:]|[.,]\d|\s?(?:[€$%]|Euro\b|Prozent\b))"
    point = rf"{clock}[.]{minute}" if words.decimal == "," else "(?!)"
    lone = rf"{clock}[.:]{minute}(?!\s?(?:Uhr|uur)\b)"
    letter = "h" if words.language in ("es", "pt") else ":"  # 9h30
    at = rf"(?<!\w)(?P<before>(?i:{alternatives(words.clock)}))\s{lone}" if words.clock else "(?!)"
    return [
        rule(at, say_at),
        rule(
            rf"""(?<![\w:.,]){clock}[:{letter}](?P<minute>[0-5]\d)(?::(?P<second>[0-5]\d))?(?![\w:]|[.,]\d)
            (?:\s?(?:Uhr|uur|h|horas|heures|часов|बजे)(?!\w))?""",
            say,
        ),
        rule(rf"(?<![\w:.,]){point}\s(?:uur|Uhr)(?!\w)", say),
        rule(rf"(?<=\0)\s?[-–]\s?(?P<form>{point})", say),
        rule(rf"(?<![\w:.,]){point}(?=\s?(?:[-–]|bis|tot)\s?\0)", say),
    ]


def money(words: Words) -> list[Rule]:
    number = number_pattern(words.decimal, words.groups)
    scale = (
        rf"(?:\s?(?P<scale>{alternatives(words.scales)})(?!\w))?" if words.scales else "(?P<scale>)"
    )
    currencies = currencies_of(words.language)
    first = alternatives([sign for sign in currencies if sign != "Fr."])  # a Friday or a woman
    last = alternatives(currencies)

    def say(match: re.Match[str]) -> str:
        sign, rest = match["sign"], match.string[match.end() :]
        said = say_money(match["amount"], written(match, "scale"), currencies[sign], words)
        is_last = match[0].endswith(("kr.", "Fr.")) and re.match(r"\s*$|\s+[A-ZÅÄÖÆØÜ]", rest)
        return f"{said}." if is_last else said

    amount = rf"(?P<amount>{MINUS}?{number})"
    return [
        # 5 kr. 6 kr: the sign belongs to the amount before it.
        rule(
            rf"(?<![\w.,])(?!(?<=\d\s)(?:{first})\s)(?P<sign>{first})\s?{amount}{scale}(?!\w)", say
        ),
        rule(rf"(?<![\w.,]){amount}{scale}\s?(?:de\s)?(?P<sign>{last})(?!\w|(?<=Fr\.)\s\d)", say),
    ]


def say_money(amount: str, scale: str, code: str, words: Words) -> str:
    number = canonical(amount, words)
    if scale:
        noun = currency_name(code, "1000000", words.language)
        link = "" if scale == "mil" else words.scale_link
        link = words.scale_link_vowel if words.scale_link_vowel and noun[0] in _VOWELS else link
        return f"{_scaled(number, scale, words)} {link}{noun}"
    whole, _, fraction = number.partition(".")
    forms = words.cents.get(code, words.cents.get("", ()))
    if len(fraction) != 2 or not forms:
        return _counted_money(number, code, words)
    cents = int(fraction)
    cent = forms[{"one": 0, "few": 1}.get(plural_of(cents, words.language), -1)]
    minor = f"{numbers.cardinal(cents, words.language, _gender_of(cent, words))} {cent}".strip()
    if whole in ("0", "-0") and cent:
        return minor
    major = _counted_money(whole, code, words)
    link = f" {words.cents_link}" if words.cents_link else ""
    return f"{major}{link} {minor}" if cents else major


def _counted_money(number: str, code: str, words: Words) -> str:
    name = currency_name(code, number, words.language)
    said = say_number(number, words, _gender_of(name, words))
    if words.scale_link and number.endswith("000000") and number.isdecimal():
        vowel = words.scale_link_vowel if name[0] in _VOWELS else ""
        name = f"{vowel or words.scale_link}{name}"
    return f"{said} {name}"


def _gender_of(noun: str, words: Words) -> str:
    return words.genders.get(noun, words.genders.get("", ""))


def _scaled(number: str, scale: str, words: Words) -> str:
    forms = words.scales[scale]
    said = say_number(number, words, _gender_of(forms[0], words))
    return f"{said} {scale_word(number, forms, words.language)}"


def units(words: Words) -> list[Rule]:
    number = number_pattern(words.decimal, words.groups)
    names = units_of(words.language)

    def say(match: re.Match[str]) -> str | None:
        amount = canonical(match["amount"], words)
        unit = names[match["unit"]]
        noun = noun_of(amount, f"unit/{unit}", words.language).split(" ")[0]
        said = say_number(amount, words, _gender_of(noun, words))
        return unit_phrase(amount, said, unit, words.language)

    def say_percent(match: re.Match[str]) -> str:
        amount = canonical(match["amount"] or match["behind"], words)
        said = say_number(amount, words)
        phrase = unit_phrase(amount, said, "percent", words.language)
        return f"{said} {words.percent}" if words.percent else phrase

    def say_degrees(match: re.Match[str]) -> str | None:
        degrees = f"{say_number(canonical(match['amount'], words), words)} {words.degrees}"
        return degrees if words.degrees else None

    amount = rf"(?<![\w.,])(?P<amount>(?:(?<!\d){MINUS})?{number})"
    return [
        rule(rf"{amount}\s?[%٪]|(?<!\w)%\s?(?P<behind>{number})(?!\w)", say_percent),
        rule(rf"{amount}\s?(?P<unit>{alternatives(names)})(?![\w²³/]|-[^\W\d])", say),
        rule(rf"{amount}\s?°(?!\w)", say_degrees),
    ]
