"""Roman numerals behind a name are said, and other capitals stay."""

import pytest

from tests.support.spoken import said


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Henry VIII's wives", "Henry the eighth's wives"),
        ("Mary I of England", "Mary the first of England"),
        ("When Mary I met her", "When Mary I met her"),
        ("CHAPTER IV", "CHAPTER four"),
        ("Part I is short. Part I like.", "Part one is short. Part I like."),
        ("World War I began", "World War one began"),
        ("Vitamin C, Plan B, Malcolm X", "Vitamin C, Plan B, Malcolm X"),
        ("Rocky III", "Rocky three"),
    ],
)
def test_a_roman_numeral_is_said(text, words):
    assert said(text) == words
