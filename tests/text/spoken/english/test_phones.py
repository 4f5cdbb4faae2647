"""Numbers that name something are said digit by digit."""

import pytest

from tests.support.spoken import said


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Call 1-800-FLOWERS.", "Call one, eight hundred, FLOWERS."),
        ("+49 (30) 901820", "plus four nine, three zero, nine zero one eight two zero"),
        (
            "4111 1111 1111 1111",
            "four one one one, one one one one, one one one one, one one one one",
        ),
        ("Your code is 123456.", "Your code is one two three four five six."),
        ("Room 204, flight 1204", "Room two oh four, flight twelve oh four"),
        ("WA 98101-1234", "WA nine eight one zero one one two three four"),
        ("9-1-1", "nine, one, one"),
        ("555-0100 x12", "five five five, zero one zero zero, extension one two"),
    ],
)
def test_digits_are_said(text, words):
    assert said(text) == words
