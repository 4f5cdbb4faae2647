"""What every general language finds: abbreviations, ranges, telephone numbers, lists, versions."""
# ruff: noqa: RUF001

from importlib import import_module

import pytest

from app.text.spoken.general.language import TABLES
from tests.support.spoken import said

ABBREVIATIONS = [
    (language, key)
    for language in TABLES
    for key in import_module(f"app.text.spoken.tables.{language}").WORDS.abbreviations
]


@pytest.mark.parametrize(("language", "key"), ABBREVIATIONS)
def test_an_abbreviation_is_the_same_without_its_spaces(language, key):
    with_spaces, without = (
        said(f"x {key} x", language),
        said(f"x {key.replace(' ', '')} x", language),
    )
    assert without == with_spaces


@pytest.mark.parametrize(
    ("language", "text", "words"),
    [
        ("es", "a las 9:30 a.m. ya", "a las nueve y treinta a m ya"),
        ("es", "a.C. o d.C. no", "antes de Cristo o después de Cristo no"),
        ("de", "i.d.R. so, v.Chr. auch", "in der Regel so, vor Christus auch"),
        ("fr", "p.ex. ici, av.J.-C. non", "par exemple ici, avant Jésus-Christ non"),
        ("ru", "до н.э. было", "до нашей эры было"),
    ],
)
def test_abbreviations_are_written_without_spaces_too(language, text, words):
    assert said(text, language) == words


@pytest.mark.parametrize(
    ("language", "text", "words"),
    [
        (
            "de",
            "Z. B. so. D. h. nein. Vgl. oben",
            "Zum Beispiel so. Das heißt nein. Vergleiche oben",
        ),
        ("es", "P. ej. uno. Aprox. dos", "Por ejemplo uno. Aproximadamente dos"),
        ("fr", "P. ex. un. Env. deux", "Par exemple un. Environ deux"),
        ("ru", "Т. е. да. См. выше", "То есть да. Смотри выше"),
        ("fr", "Art. 5. Chap. 3", "Article cinq. Chapitre trois"),
        (
            "es",
            "Vol. 3. Fig. 2. Aprox. 5. Fin",
            "Volumen tres. Figura dos. Aproximadamente cinco. Fin",
        ),
        ("ru", "Рис. 3. Стр. 10", "Рисунок три. Страница десять"),
        ("sv", "T.ex. detta", "Till exempel detta"),
    ],
)
def test_an_abbreviation_may_begin_a_sentence(language, text, words):
    assert said(text, language) == words


@pytest.mark.parametrize(
    ("language", "text"),
    [("ru", "Д. Медведев"), ("es", "A. C. Milan"), ("sv", "d. x")],
)
def test_an_initial_is_no_abbreviation(language, text):
    assert said(text, language) == text


@pytest.mark.parametrize(
    ("language", "words"),
    [
        ("de", "zehn Uhr bis achtzehn Uhr"),
        ("es", "diez a dieciocho"),
        ("fr", "dix heures à dix-huit heures"),
        ("hi", "दस बजे से अठारह बजे"),
        ("it", "dieci a diciotto"),
        ("nl", "tien uur tot achttien uur"),
        ("tr", "on ila on sekiz"),
    ],
)
def test_opening_hours_are_no_telephone_number(language, words):
    assert said("10:00-18:00", language) == words


@pytest.mark.parametrize(
    ("language", "text", "words"),
    [
        ("de", "5-10 €", "fünf bis zehn Euro"),
        ("de", "8–12 Uhr", "acht bis zwölf Uhr"),
        ("de", "9:00 - 17:00", "neun Uhr bis siebzehn Uhr"),
        ("sv", "5-10 kr", "fem till tio kronor"),
        ("fr", "10h-12h", "dix heures à douze heures"),
        ("de", "5kg-10kg", "fünf Kilogramm bis zehn Kilogramm"),
        ("it", "5-10 €", "cinque a dieci euro"),
    ],
)
def test_a_range_ends_in_a_form_too(language, text, words):
    assert said(text, language) == words


@pytest.mark.parametrize(
    ("language", "text", "groups"),
    [
        ("es", "Llame al 91 123 45 67.", 4),
        ("es", "600 123 456", 3),
        ("es", "600-123-456", 3),
        ("es", "600 12 34 56", 4),
        ("ru", "8 800 555-35-35", 5),
        ("ru", "8 (800) 555-35-35", 5),
        ("pt", "(11) 91234-5678", 3),
    ],
)
def test_a_telephone_number_of_the_land_is_said_by_digits_in_groups(language, text, groups):
    words = said(text, language)
    assert words.count(",") == groups - 1
    assert sum(char.isdigit() for char in text) == len(
        words.removeprefix("Llame al ").replace(",", "").split()
    )


@pytest.mark.parametrize(
    ("language", "text", "words"),
    [
        ("ru", "100-200 рублей", "сто-двести рублей"),
        ("de", "100-200 €", "einhundert bis zweihundert Euro"),
        ("de", "500-1000 Euro", "fünfhundert bis eintausend Euro"),
    ],
)
def test_a_range_of_hundreds_is_no_telephone_number(language, text, words):
    assert said(text, language) == words


@pytest.mark.parametrize(
    ("language", "text", "words"),
    [
        ("de", "Obst usw. Dann", "Obst und so weiter. Dann"),
        ("ru", "и т. д. Потом", "и так далее. Потом"),
        ("de", "Obst usw. gibt es", "Obst und so weiter gibt es"),
    ],
)
def test_the_stop_of_an_abbreviation_stays_before_a_sentence(language, text, words):
    assert said(text, language) == words


def test_an_amount_is_no_telephone_number():
    assert said("600 123 456 €", "es").startswith("seiscientos")


@pytest.mark.parametrize(
    ("language", "words"),
    [
        ("de", "v zwei Punkt null Punkt eins"),
        ("fr", "v deux point zéro point un"),
        ("it", "v due punto zero punto uno"),
        ("fi", "v kaksi piste nolla piste yksi"),
    ],
)
def test_a_version_behind_its_letter_is_said(language, words):
    assert said("v2.0.1", language) == words


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Die Nr. 3. Dann kam er.", "Die Nummer drei. Dann kam er."),
        ("Summe: 5. Danke.", "Summe: fünf. Danke."),
        ("Plan: 1. Essen. 2. Trinken.", "Plan: eins, Essen. zwei, Trinken."),
    ],
)
def test_a_number_at_the_end_of_a_sentence_begins_no_list(text, words):
    assert said(text, "de") == words
