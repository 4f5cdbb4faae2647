"""Units in English have the number of their amount, and stand as an adjective without it."""

import pytest

from tests.support.spoken import said


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("1 kg, 2 kg", "one kilogram, two kilograms"),
        ("1.0 kg", "one point zero kilograms"),
        ("5in of rain, 2 in one", "five inches of rain, two in one"),
        ("a 5-km run", "a five-kilometer run"),
        ("9.8 m/s²", "nine point eight meters per second squared"),
        ("2 million km", "two million kilometers"),
        ("-40°", "minus forty degrees"),
        ("1°F", "one degree Fahrenheit"),
        ("It takes 5 min. to go.", "It takes five minutes to go."),
        ("It takes 5 min. Then go.", "It takes five minutes. Then go."),
        ('a 27" screen, 27" wide', "a twenty-seven inch screen, twenty-seven inches wide"),
        ("5'10\" tall", "five feet ten inches tall"),
        ("3‰", "three per thousand"),
        ("100 MB/s", "one hundred megabytes per second"),
        ("He said '6' or \"7\".", "He said 'six' or \"seven\"."),
    ],
)
def test_a_unit_is_said(text, words):
    assert said(text) == words


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("2x/day", "two times per day"),
        ("5 times/day", "five times per day"),
        ("10 req/s", "ten req per second"),
        ("$5/user/month", "five dollars per user per month"),
        ("day/night", "day slash night"),
    ],
)
def test_a_stroke_before_a_unit_of_time_is_per(text, words):
    assert said(text) == words


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("98.6F", "ninety-eight point six degrees Fahrenheit"),
        ('a 1/4" pipe', "a one quarter inch pipe"),
        ('2 1/2" wide', "two and a half inch wide"),
        ('"He ate 1/4" is right.', '"He ate one quarter" is right.'),
    ],
)
def test_degrees_and_fractions_of_an_inch_are_said(text, words):
    assert said(text) == words
