"""What SSML's say-as says."""

import pytest

from app.errors import BadRequest
from app.text.say_as import say_as


@pytest.mark.parametrize(
    ("kind", "words", "said"),
    [
        ("characters", "abc", "a b c"),
        ("spell-out", "A1 B", "A 1 B"),
        ("Verbatim", "né", "n é"),
        ("digits", "2026", "2 0 2 6"),
        ("telephone", "(206) 555-0147", "2 0 6, 5 5 5, 0 1 4 7"),
        ("digits", "none", "none"),
        ("expletive", "darn", ""),
        ("date", "2026-11-24", "2026-11-24"),
        ("cardinal", "12", "twelve"),
        ("number", "-3", "minus three"),
        ("ordinal", "3", "third"),
        ("cardinal", "about 12", "about 12"),
        ("time", "9:30pm", "9:30pm"),
    ],
)
def test_a_kind_acts_or_leaves_the_words_to_the_spoken_forms(kind, words, said):
    assert say_as(kind, words) == said


def test_the_format_of_a_number_acts():
    assert say_as("number", "12", "digits") == "1 2"
    assert say_as("date", "3/4/2026", "mdy") == "2026-03-04"
    assert say_as("date", "3.4.2026", "dmy") == "2026-04-03"
    assert say_as("date", "3/4", "md") == "3/4"


def test_a_number_is_said_in_the_language_of_the_text():
    assert say_as("ordinal", "3", language="de") == "dritte"


def test_an_unknown_kind_is_named():
    with pytest.raises(BadRequest, match="'song'"):
        say_as("song", "la")
