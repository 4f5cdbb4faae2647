"""The rules of a language other than English, Chinese and Japanese, in the order of their use."""

from importlib import import_module

from app.text.spoken import numbers
from app.text.spoken.addresses import address_rules
from app.text.spoken.general import plain, rules
from app.text.spoken.general.words import Words
from app.text.spoken.rules import Rule

TABLES = ("ar", "de", "es", "fr", "hi", "ru", "sv")
NUMBERS_ALONE = {
    "da": Words(language="da", minus="minus", percent="procent", to="til"),
    "el": Words(language="el", minus="μείον", percent="τοις εκατό", to="έως"),
    "fi": Words(language="fi", minus="miinus", percent="prosenttia", to="viiva"),
    "he": Words(language="he", decimal=".", groups=",", minus="מינוס", percent="אחוז", to="עד"),
    "it": Words(language="it", minus="meno", percent="per cento", to="a"),
    "ko": Words(
        language="ko", decimal=".", groups=",", minus="마이너스", percent="퍼센트", to="에서"
    ),
    "ms": Words(
        language="ms", decimal=".", groups=",", minus="negatif", percent="peratus", to="hingga"
    ),
    "nl": Words(language="nl", minus="min", percent="procent", to="tot"),
    "no": Words(language="no", minus="minus", percent="prosent", to="til"),
    "pl": Words(language="pl", minus="minus", percent="procent", to="do"),
    "pt": Words(language="pt", minus="menos", percent="por cento", to="a"),
    "sw": Words(
        language="sw", decimal=".", groups=",", minus="hasi", percent="asilimia", to="hadi"
    ),
    "tr": Words(language="tr", minus="eksi", percent="yüzde", to="ila"),
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
        *plain.word_rules(words),
        *plain.number_rules(words),
        *plain.mark_rules(words),
    )
