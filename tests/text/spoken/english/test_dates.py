"""Dates in English, with the month first unless it can only be the day."""

import pytest

from tests.support.spoken import said


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("2026-11-24T10:30:00Z", "November twenty-fourth, twenty twenty-six at ten thirty U T C"),
        ("13/12/2020", "December thirteenth, twenty twenty"),
        ("99/99/2020", "ninety-nine slash ninety-nine slash two thousand twenty"),
        ("Nov 24-26", "November twenty-fourth to twenty-sixth"),
        ("the 24th of Nov.", "the twenty-fourth of November"),
        ("Mon.-Fri. we work", "Monday to Friday we work"),
        ("Tues., Jan. 5", "Tuesday, January fifth"),
        ("May I go? In May 2020.", "May I go? In May twenty twenty."),
        ("in 2020-21", "in twenty twenty to twenty-one"),
        ("the '80s and 1810s", "the eighties and eighteen tens"),
        (
            "1999 people in 1999",
            "one thousand nine hundred ninety-nine people in nineteen ninety-nine",
        ),
        ("The 2048 tokens of 2048.", "The two thousand forty-eight tokens of twenty forty-eight."),
        ("1984 was a year.", "nineteen eighty-four was a year."),
        ("on 12/25", "on December twenty-fifth"),
    ],
)
def test_a_date_is_said(text, words):
    assert said(text) == words


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("We're open Mon-Fri. Call us.", "We're open Monday to Friday. Call us."),
        ("See you in Jan. Bye!", "See you in January. Bye!"),
        ("in Jan. or Feb. at last", "in January or February at last"),
    ],
)
def test_a_sentence_that_ends_with_a_month_or_a_day_keeps_its_stop(text, words):
    assert said(text) == words


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("90s music, 80s kids", "nineties music, eighties kids"),
        ("a 90s wait", "a ninety seconds wait"),
    ],
)
def test_a_decade_before_what_is_of_it_is_no_duration(text, words):
    assert said(text) == words
