"""The rules of a language other than English, Chinese and Japanese, in the order of their use."""

from importlib import import_module

from app.text.spoken import numbers
from app.text.spoken.addresses import address_rules
from app.text.spoken.general import plain, rules
from app.text.spoken.general.words import Words
from app.text.spoken.rules import Rule

TABLES = (
    *("ar", "da", "de", "el", "es", "fi", "fr", "he", "hi", "it", "ko", "ms", "nl", "no", "pl"),
    *("pt", "ru", "sv", "sw", "tr"),
)


def rules_for(language: str) -> tuple[Rule, ...]:
    """No rules for a language that nobody knows here."""
    if language not in TABLES:
        return ()
    table = import_module(f"app.text.spoken.tables.{language}")
    words: Words = table.WORDS
    extra: tuple[Rule, ...] = table.RULES

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
        *plain.scale_rules(words),
        *plain.word_rules(words),
        *plain.number_rules(words),
        *plain.mark_rules(words),
    )
