"""Names and plurals come from Unicode's locale data."""

import pytest

from app.text.spoken.icu import counted, month_name, months_of, plural_of, spelled


@pytest.mark.parametrize(
    ("number", "unit", "language", "said"),
    [
        ("1", "unit/kilometer", "ru", "# километр"),
        ("3", "unit/kilometer", "ru", "# километра"),
        ("5", "unit/kilometer", "ru", "# километров"),
        ("2.5", "unit/kilometer-per-hour", "es", "# kilómetros por hora"),
        ("5", "currency/EUR", "de", "# Euro"),
        ("1200", "currency/EUR", "fr", "# euros"),
        ("-3", "unit/celsius", "de", "# Grad Celsius"),
    ],
)
def test_a_unit_has_the_plural_of_its_number(number, unit, language, said):
    assert counted(number, "#", unit, language) == said


def test_a_month_stands_as_behind_a_day():
    assert month_name(11, "ru") == "ноября"
    assert month_name(5, "es") == "mayo"


def test_a_month_is_known_by_each_of_its_names():
    months = months_of("ru")
    assert months["ноябрь"] == months["ноября"] == 11
    assert months_of("fr")["janvier"] == 1


def test_plurals_have_names():
    assert [plural_of(number, "ru") for number in (1, 3, 5)] == ["one", "few", "many"]


def test_an_unknown_rule_set_is_the_plain_one():
    assert spelled(21, "en", "no-such-rules") == "twenty-one"
