"""Numbers of notes, citations and emoticons are not read."""

import pytest

from tests.support.spoken import said


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("results vary.¹", "results vary."),
        ("footnote², See¹", "footnote, See"),
        ("Jones,[1] said", "Jones, said"),
        ("as Jones[2][3] said.[^4]", "as Jones said."),
    ],
)
def test_the_number_of_a_note_is_not_read(text, words):
    assert said(text) == words


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("x² and 5 m², km²", "x squared and five square meters, km squared"),
        ("E = mc²", "E equals mc squared"),
        ("sin²", "sin squared"),
        ("a[1]", "a[one]"),
    ],
)
def test_what_is_no_note_is_read(text, words):
    assert said(text) == words


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("#MondayMotivation", "hashtag MondayMotivation"),
        ("#AI2026", "hashtag A I twenty twenty-six"),
        ("#5 of C#", "number five of C#"),
    ],
)
def test_a_hashtag_is_no_number(text, words):
    assert said(text) == words


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("I <3 you", "I love you"),
        ("Thanks :-D", "Thanks "),
        ("love you <3", "love you "),
        ("x <3 and latency <3", "x is less than three and latency less than three"),
        ("3 <3.5", "three is less than three point five"),
    ],
)
def test_an_emoticon_is_no_sign(text, words):
    assert said(text) == words
