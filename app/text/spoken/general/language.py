"""The rules of a language other than English, Chinese and Japanese, in the order of their use."""

from importlib import import_module

from app.text.spoken import numbers
from app.text.spoken.addresses import address_rules
from app.text.spoken.general import plain, rules
from app.text.spoken.general.words import GROUPS, Words
from app.text.spoken.icu import month_name
from app.text.spoken.rules import Rule

TABLES = ("ar", "de", "es", "fr", "hi", "ru", "sv")
_EURO_AND = {"it": "e", "pt": "e", "el": "και"}  # cinque euro e cinquanta
_DAY_OF_MONTH = {"el": " ", "it": " ", "ms": " ", "nl": " ", "pt": " de ", "sw": " ", "tr": " "}
_CLOCK = {  # before a time with a point
    "da": {"kl.": "klokken", "kl": "klokken", "klokken": "klokken"},
    "fi": {"klo": "kello", "kello": "kello"},
    "it": {"ore": "ore", "alle": "alle", "dalle": "dalle", "alle ore": "alle ore"},
    "no": {"kl.": "klokka", "kl": "klokka", "klokka": "klokka", "klokken": "klokken"},
    "tr": {"saat": "saat"},
    "pl": {"o": "o", "godz.": "godzina", "godzina": "godzina"},
}
_PHONES = {"pt": r"\(\d\d\)\s?9?\d{4}-\d{4}"}
_POINT = ("he", "ko", "ms", "sw")  # the languages with a point before decimals


def _words(language: str, minus: str, to: str) -> Words:
    """Of a language without a table: its numbers, and what the locale data has."""
    of = _DAY_OF_MONTH.get(language)

    def date(day: int, month: int, year: int | None, before: str) -> str:
        said = f"{numbers.cardinal(day, language)}{of}{month_name(month, language)}"
        return f"{said}{of}{numbers.cardinal(year, language)}" if year else said

    def time(hour: int, minute: int, second: int | None) -> str:
        said = numbers.cardinal(hour, language) + (" uur" if language == "nl" else "")
        behind = [minute, second] if second else [minute] if minute else []
        for part in behind:
            zero = f"{numbers.cardinal(0, language)} " if part < 10 else ""
            said += f" {zero}{numbers.cardinal(part, language)}"
        return said

    return Words(
        language=language,
        decimal="." if language in _POINT else ",",
        groups="," if language in _POINT else GROUPS,
        minus=minus,
        percent="퍼센트" if language == "ko" else "",
        to=to,
        cents={"": ("",)},
        cents_link=_EURO_AND.get(language, ""),
        date=None if of is None else date,
        time=time,
        clock=_CLOCK.get(language, {}),
        genders={"krone": "common"} if language == "da" else {},
        phones=_PHONES.get(language, ""),
    )


NUMBERS_ALONE = {
    language: _words(language, minus, to)
    for language, minus, to in (
        ("da", "minus", "til"),
        ("el", "μείον", "έως"),
        ("fi", "miinus", "viiva"),
        ("he", "מינוס", "עד"),
        ("it", "meno", "a"),
        ("ko", "마이너스", "에서"),
        ("ms", "negatif", "hingga"),
        ("nl", "min", "tot"),
        ("no", "minus", "til"),
        ("pl", "minus", "do"),
        ("pt", "menos", "a"),
        ("sw", "hasi", "hadi"),
        ("tr", "eksi", "ila"),
    )
}


def rules_for(language: str) -> tuple[Rule, ...]:
    """No rules for a language that nobody knows here."""
    extra: tuple[Rule, ...] = ()
    if language in TABLES:
        table = import_module(f"app.text.spoken.tables.{language}")
        words, extra = table.WORDS, table.RULES
    elif language in NUMBERS_ALONE:
        words = NUMBERS_ALONE[language]
    else:
        return ()

    def digits(written: str) -> str:
        if len(written) <= 2 and written[0] != "0":
            return numbers.cardinal(int(written), language)
        return numbers.digits(written, language)

    addresses = address_rules(words.address, digits) if words.address else ()
    return (
        *addresses,
        *plain.list_rules(words),
        *plain.phone_rules(words),
        *rules.dates(words),
        *rules.times(words),
        *extra,
        *plain.fraction_rules(words),
        *plain.sum_rules(words),
        *rules.money(words),
        *plain.joint_rules(words),
        *rules.units(words),
        *plain.quantity_ranges(words),
        *plain.word_rules(words),
        *plain.number_rules(words),
        *plain.mark_rules(words),
    )
