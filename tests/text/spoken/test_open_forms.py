"""A form that is cut by the end of a text is seen, and nothing else is."""

import pytest

from app.text.spoken.open_forms import naming_words_at, open_form_at


@pytest.mark.parametrize(
    ("text", "form"),
    [
        ("It costs $5", "$5"),
        ("It costs $5.3 bil", "$5.3 bil"),
        ("It costs $", "$"),
        ("On Nov. 24, 20", "Nov. 24, 20"),
        ("On Nov", "Nov"),
        ("At 9:30 P", "9:30 P"),
        ("Call 206-555-", "206-555-"),
        ("Call (206) 555", "(206) 555"),
        ("1. ", "1. "),
        ("See https://exa", "https://exa"),
        ("Ask Dr. ", "Dr. "),
        ("So 23 * 5 =", "23 * 5 ="),
    ],
)
def test_an_unfinished_form_begins_where_it_begins(text, form):
    at = open_form_at(text, "en")
    assert at is not None
    assert text[at:] == form


@pytest.mark.parametrize(
    "text", ["", "Hello there", "It costs $5 today, ", "A word. Another word "]
)
def test_a_text_without_an_unfinished_form_has_none(text):
    assert open_form_at(text, "en") is None


@pytest.mark.parametrize(
    ("language", "text", "form"),
    [
        ("ja", "会議は2026年11", "2026年11"),
        ("zh", "他付了12", "12"),
        ("de", "Am 3. Ma", "Am 3. Ma"),
    ],
)
def test_other_languages_have_forms_too(language, text, form):
    at = open_form_at(text, language)
    assert at is not None
    assert text[at:].lower() == form.lower()


def test_only_the_end_of_a_long_run_of_numbers_is_open():
    text = "12 " * 100
    at = open_form_at(text, "en")
    assert at is not None
    assert len(text) - at <= 80


@pytest.mark.parametrize(
    ("language", "text", "words"),
    [
        ("en", "Your new PIN code:", "code:"),
        ("en", "He was King Henry ", "Henry "),
        ("en", "We live in London", ""),
        ("en", "and the old house of", ""),
        ("de", "Wir kommen am", "am"),
        ("de", "Das ist sehr schön und", ""),
        ("sv", "Kung Karl", "Karl"),
        ("zh", "他付了", ""),
        ("xx", "any words", ""),
        ("en", "", ""),
    ],
)
def test_the_words_that_decide_how_a_number_is_said_belong_to_it(language, text, words):
    assert text[naming_words_at(text, language) :] == words
