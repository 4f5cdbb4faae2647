"""An ordinal number with a full stop is told from a number at the end of a sentence."""
# ruff: noqa: RUF001

import pytest

from app.text.ordinals import is_ordinal


@pytest.mark.parametrize(
    ("language", "before", "after"),
    [
        ("de", "Es war im 19.", "Jahrhundert so"),
        ("de", "Es war ihr 2.", "Versuch"),
        ("de", "Montag, 5.", "Mai"),
        ("de", "Der 1. und 2.", "Weltkrieg"),
        ("da", "Kom den 5.", "Juni"),
        ("no", "Kom 5.", "Desember"),
        ("fi", "Tuli 5.", "Kesäkuuta"),
        ("no", "Det er 3.", "plass"),
        ("pl", "To jest 3.", "piętro"),
        ("tr", "Bu 3.", "sınıf"),
        ("tr", "Padişah II.", "Mehmed"),
    ],
)
def test_a_number_before_its_noun_is_an_ordinal(language, before, after):
    assert is_ordinal(before, after, language)


@pytest.mark.parametrize(
    ("language", "before", "after"),
    [
        ("de", "Er wurde 19.", "Dann ging er"),
        ("de", "Es war im Jahr 1999.", "Mai"),
        ("de", "Die Note ist 3.5.", "Danke"),
        ("en", "It was in the 19.", "Century"),
        ("de", "Er wurde 19.", "Maier ging"),
        ("de", "Die Feier ist am 5.", "Danach gehen wir"),
        ("da", "Han kommer den 5.", "Vi rejser"),
        ("pl", "Mam 3.", "Potem poszedł"),
        ("tr", "Benim 3.", "Sonra gitti"),
    ],
)
def test_another_number_is_none(language, before, after):
    assert not is_ordinal(before, after, language)
