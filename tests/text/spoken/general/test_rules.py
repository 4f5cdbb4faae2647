"""Dates, times and money of the general languages."""

import pytest

from tests.support.spoken import said


@pytest.mark.parametrize(
    ("language", "text", "words"),
    [
        ("ms", "Harganya 3.5. Terima kasih.", "Harganya tiga perpuluhan lima. Terima kasih."),
        ("it", "Il voto è 7.5.", "Il voto è sette virgola cinque."),
        ("de", "Die Note ist 3.5.", "Die Note ist drei Komma fünf."),
        ("de", "Die Note ist 3.5. Dann", "Die Note ist drei Komma fünf. Dann"),
    ],
)
def test_a_decimal_at_the_end_of_a_sentence_is_no_date(language, text, words):
    assert said(text, language) == words


def test_a_day_and_a_month_behind_a_preposition_are_a_date():
    assert said("vom 3.5. bis 7.5.", "de") == "vom dritten Mai bis siebten Mai"


def test_the_stop_behind_a_month_stays_before_a_sentence():
    assert said("Am 12. Mai. Frei.", "de") == "Am zwölften Mai. Frei."


@pytest.mark.parametrize(
    ("language", "words"),
    [
        ("it", "nove trenta"), ("ko", "구 삼십"), ("pl", "dziewięć trzydzieści"),
        ("tr", "dokuz otuz"), ("ms", "sembilan tiga puluh"), ("nl", "negen uur dertig"),
        ("da", "ni tredive"), ("fi", "yhdeksän kolmekymmentä"),
    ],
)  # fmt: skip
def test_a_clock_time_has_its_hour_and_its_minute(language, words):
    assert said("9:30", language) == words


def test_a_zero_before_the_minute_is_said():
    assert said("9:05", "it") == "nove zero cinque"


@pytest.mark.parametrize(
    ("language", "text", "words"),
    [
        ("da", "kl. 9.30", "klokken ni tredive"),
        ("no", "Kl. 9.30", "Klokka ni tretti"),
        ("da", "kl. 9.30-11.00", "klokken ni tredive til elleve"),
        ("fi", "klo 9.30", "kello yhdeksän kolmekymmentä"),
        ("it", "alle 9.30", "alle nove trenta"),
        ("nl", "om 9.30 uur", "om negen uur dertig"),
        ("de", "um 9.30.", "um neun Uhr dreißig."),
        ("de", "Um 9.30 Uhr", "Um neun Uhr dreißig"),
        ("de", "9.30-17.00 Uhr", "neun Uhr dreißig bis siebzehn Uhr"),
        ("de", "von 9.30 bis 10.00 Uhr", "von neun Uhr dreißig bis zehn Uhr"),
        ("es", "a las 10.30.", "a las diez y treinta."),
        ("nl", "9.30-17.00 uur", "negen uur dertig tot zeventien uur"),
        ("sv", "kl 9.30", "klockan nio trettio"),
        ("tr", "saat 9.30", "saat dokuz otuz"),
        ("pt", "9h30", "nove trinta"),
    ],
)
def test_a_time_may_have_a_point(language, text, words):
    assert said(text, language) == words


@pytest.mark.parametrize(
    ("language", "text", "words"),
    [
        ("da", "100 kr. om dagen", "hundrede kroner om dagen"),
        ("da", "Det er 5 kr. Og ja", "Det er fem kroner. Og ja"),
        ("da", "1 kr.", "en krone."),
        ("no", "kr 500", "fem hundre kroner"),
        ("sv", "500 kr", "femhundra kronor"),
    ],
)
def test_a_crown_is_that_of_the_land(language, text, words):
    assert said(text, language) == words


def test_a_sign_between_two_amounts_belongs_to_the_first():
    assert said("2.000 $ 1.000 £", "es") == "dos mil dólares mil libras"
    assert said("21 kr. 5,50 kr", "sv") == "tjugoen kronor fem kronor och femtio öre"


@pytest.mark.parametrize("text", ["Um 3.15 Prozent", "um 3.15 Euro"])
def test_an_amount_behind_a_preposition_is_no_time(text):
    assert "Uhr" not in said(text, "de")


def test_the_minutes_before_a_stop_begin_no_date():
    assert "septiembre" not in said("a las 9:30. 9.30 h", "es")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("1.000.000 €", "un millón de euros"),
        ("2.000.000 €", "dos millones de euros"),
        ("1.000 €", "mil euros"),
    ],
)
def test_a_million_is_linked_to_its_noun(text, words):
    assert said(text, "es") == words
