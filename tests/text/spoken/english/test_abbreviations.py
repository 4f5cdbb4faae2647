"""Abbreviations are words, and their point ends a sentence where it did."""

import pytest

from tests.support.spoken import said


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("No. 5 is here. No. It is not.", "number five is here. No. It is not."),
        ("Use forks, etc. Then go.", "Use forks, et cetera. Then go."),
        ("Use forks, etc. for it", "Use forks, et cetera for it"),
        ("He lives at 5 St. James St.", "He lives at five Saint James Street."),
        ("Dr. Who lives on Mulholland Dr.", "Doctor Who lives on Mulholland Dr."),
        ("The U.S. won. I live in the U.S.", "The U S won. I live in the U S."),
        ("w/ or w/o", "with or without"),
        ("pp. 3-5, fig. 2", "pages three to five, figure two"),
    ],
)
def test_an_abbreviation_is_said(text, words):
    assert said(text) == words


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("p.5", "page five"),
        ("No.1", "number one"),
        ("v.2", "version two"),
        ("V2.0", "version two point zero"),
        ("5'-6\"", "five feet six inches"),
        ("5'6\" or 6'", "five feet six inches or six feet"),
    ],
)
def test_a_number_directly_behind_an_abbreviation_is_a_word_of_its_own(text, words):
    assert said(text) == words


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("The U.S. President spoke.", "The U S President spoke."),
        ("J.P. Morgan, J.R.R. Tolkien", "J P Morgan, J R R Tolkien"),
        ("I live in the U.S. It is big.", "I live in the U S. It is big."),
        ("Sr. Engineer, Jr. Dev", "Senior Engineer, Junior Dev"),
        ("He is John Smith Jr. He is old.", "He is John Smith Junior. He is old."),
        ("a.b.c, U.S.A", "A B C, U S A"),
    ],
)
def test_initials_before_a_name_end_no_sentence(text, words):
    assert said(text) == words
