"""Written forms are replaced in every language, and nothing else is."""
# ruff: noqa: RUF001

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.text.spoken import forms
from app.text.spoken.forms import replacements
from app.text.spoken.general.language import TABLES
from tests.support.spoken import said

KNOWN = ("en", "zh", "ja", *TABLES)
LANGUAGES = (*KNOWN, "xx")
PROSE = [
    "I met him on the mall's second floor, and he said: no!",
    "May I come in? It was in the cards (or so we thought).",
    "STOP! DO NOT ENTER. THIS IS OURS.",
    "You and I know it is so. A is for apple.",
    "He sat. The Sun rose. We won.",
]


@pytest.mark.parametrize("text", PROSE)
def test_prose_stays(text):
    assert replacements(text, "en") == []


def test_a_form_alone_is_replaced():
    [found] = replacements("They raised $5.3 billion last year.", "en")
    assert (found.start, found.end) == (12, 24)
    assert found.say == "five point three billion dollars"


def test_the_languages_with_rules_are_named():
    assert set(KNOWN) == forms.LANGUAGES


@pytest.mark.parametrize("language", KNOWN)
def test_every_language_has_numbers(language):
    text = said("7 12,", language)
    assert not any(char.isascii() and char.isdigit() for char in text)


def test_an_unknown_language_keeps_its_text():
    assert replacements("7 $5", "xx") == []


FORMS = st.lists(
    st.sampled_from(
        ["$5.3", "€", "12", "-", "–", ":", "30", "PM", " ", ".", ",", "/", "x", "Nov", "24th", "%",
         "km", "kg/", "@a.com", "https://", "No.", "Dr.", "IV", "Henry", "½", "²", "°C", "+", "=",
         "FBI", "\n", "1.", "年", "月", "3", "个", "円", "Uhr", "h", "руб", "(", ")", "#", "&",
         "٫", "५"]
    )
).map("".join)  # fmt: skip


@given(FORMS, st.sampled_from(LANGUAGES))
def test_any_text_has_replacements_in_order_without_overlap(text, language):
    end = 0
    for each in replacements(text, language):
        assert end <= each.start < each.end <= len(text)
        end = each.end


@given(st.text(max_size=80), st.sampled_from(LANGUAGES))
def test_any_characters_at_all_are_taken(text, language):
    said(text, language)


@pytest.mark.parametrize(
    "piece", ["1-", "x x ", "1/", "a+b-", "1", "A&", "$1 ", "1²", "+1 ", "1年"]
)
@pytest.mark.parametrize("language", ["en", "de"])
def test_a_hostile_text_takes_no_seconds(piece, language):
    replacements("5 km", language)  # loads the rules
    text = piece * (4096 // len(piece))
    start = time.process_time()
    replacements(text, language)
    assert time.process_time() - start < 2
