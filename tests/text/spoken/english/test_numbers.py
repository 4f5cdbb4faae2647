"""English numbers: years in pairs, codes in short groups."""

import pytest

from app.text.spoken.english.numbers import code, number, plural_of, spelled, year
from tests.support.spoken import said


@pytest.mark.parametrize(
    ("written", "words"),
    [
        ("1066", "ten sixty-six"),
        ("1900", "nineteen hundred"),
        ("1905", "nineteen oh five"),
        ("2000", "two thousand"),
        ("2005", "two thousand five"),
        ("2026", "twenty twenty-six"),
        ("79", "seventy-nine"),
    ],
)
def test_a_year_is_said_in_pairs(written, words):
    assert year(written) == words


@pytest.mark.parametrize(
    ("written", "words"),
    [
        ("1,234.50", "one thousand two hundred thirty-four point five zero"),
        ("-.5", "minus point five"),
        ("+3", "plus three"),
        ("007", "zero zero seven"),
    ],
)
def test_a_number_is_said(written, words):
    assert number(written) == words


@pytest.mark.parametrize(
    ("written", "words"),
    [
        ("12", "twelve"),
        ("101", "one oh one"),
        ("370", "three seventy"),
        ("300", "three hundred"),
        ("1204", "twelve oh four"),
        ("12345", "one two three four five"),
    ],
)
def test_a_code_is_said_in_short_groups(written, words):
    assert code(written) == words


def test_plurals_and_letters():
    assert [plural_of(word) for word in ("ninety", "six", "ten")] == ["nineties", "sixes", "tens"]
    assert spelled("b2") == "B two"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("1 000 000 people", "one million people"),
        ("5 000 km", "five thousand kilometers"),
        ("1 500 km", "one thousand five hundred kilometers"),
        ("$5 000", "five thousand dollars"),
        ("1,50,000 people", "one lakh fifty thousand people"),
        ("1,00,00,000", "one crore"),
        ("Room 5 100 chairs", "Room five one hundred chairs"),
        ("in 2020 100 people", "in twenty twenty one hundred people"),
    ],
)
def test_thousands_may_stand_apart_or_in_lakhs(text, words):
    assert said(text) == words
