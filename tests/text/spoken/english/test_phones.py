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


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Your verification code is: 4829", "Your verification code is: four eight two nine"),
        ("Your code is 482 913.", "Your code is four eight two, nine one three."),
        ("code is 482-913", "code is four eight two, nine one three"),
        ("Passcode is 4821", "Passcode is four eight two one"),
        ("Account number 12345678", "Account number one two three four five six seven eight"),
        ("Order 123456", "Order one two three four five six"),
        ("Tracking number 94001", "Tracking number nine four zero zero one"),
        ("ISBN 3-16-148410-0", "I S B N three, one six, one four eight four one zero, zero"),
        ("CVE-2024-12345", "CVE twenty twenty-four, one two three four five"),
    ],
)
def test_a_code_is_said_digit_by_digit(text, words):
    assert said(text) == words


def test_an_amount_behind_the_name_of_a_code_is_a_number():
    assert said("Order 500 books, in case 10-20 people come") == (
        "Order five hundred books, in case ten to twenty people come"
    )


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Call 5551234567 now", "Call five five five, one two three, four five six seven now"),
        ("12345678901", "one two three four five six seven eight nine zero one"),
        ("5000000000", "five billion"),
    ],
)
def test_ten_digits_in_one_piece_are_no_amount(text, words):
    assert said(text) == words


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Room 12A, seat 10A, gate 5A", "Room twelve A, seat ten A, gate five A"),
        ("221B Baker St", "two twenty-one B Baker Street"),
        ("a 12A fuse", "a twelve amps fuse"),
    ],
)
def test_a_letter_behind_the_number_of_a_place_is_no_unit(text, words):
    assert said(text) == words
