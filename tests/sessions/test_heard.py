"""What was heard of a text ends with the last word of which at least half was played."""

import pytest

from app.sessions.heard import heard
from app.spoken_words import Heard, SpokenWord, Transcript

TEXT = "Hello there, my friend."
WORDS = (
    SpokenWord("Hello", 0, 5, 100.0, 500.0),
    SpokenWord("there,", 6, 12, 500.0, 900.0),
    SpokenWord("my", 13, 15, 1500.0, 1700.0),
    SpokenWord("friend.", 16, 23, 1700.0, 2300.0),
)
SPOKEN = Transcript(TEXT, WORDS, 2400.0)


def test_the_text_ends_with_the_last_word_that_was_played():
    assert heard(SPOKEN, 1200.0) == Heard("Hello there,", "there,", 12, 1200.0, False)


@pytest.mark.parametrize(("played_ms", "last_word"), [(699.9, "Hello"), (700.0, "there,")])
def test_a_word_counts_once_half_of_it_was_played(played_ms, last_word):
    assert heard(SPOKEN, played_ms).last_word == last_word


def test_nothing_is_heard_before_the_first_word():
    assert heard(SPOKEN, 0) == Heard("", None, 0, 0.0, False)
    assert heard(SPOKEN, 250.0).text == ""


def test_without_a_playout_clock_all_that_was_sent_was_heard():
    sent = Transcript(TEXT, WORDS, 1650.0)
    assert heard(sent, None) == Heard("Hello there, my", "my", 15, 1650.0, False)


def test_no_more_was_heard_than_was_sent():
    assert heard(SPOKEN, 60_000.0) == heard(SPOKEN, None)
    assert heard(SPOKEN, None).text == TEXT
    assert heard(SPOKEN, None).audio_ms == 2400.0


@pytest.mark.parametrize(
    ("played_ms", "is_estimate"), [(0, False), (700, False), (1600, True), (2400, True)]
)
def test_what_was_heard_is_an_estimate_where_a_word_beside_the_cut_is_one(played_ms, is_estimate):
    words = (*WORDS[:3], SpokenWord("friend.", 16, 23, 1700.0, 2300.0, True))
    assert heard(Transcript(TEXT, words, 2400.0), played_ms).is_estimate == is_estimate


def test_a_word_without_an_end_goes_on_beyond_the_sound():
    words = (*WORDS[:3], SpokenWord("friend.", 16, 23, 1700.0, None))
    assert heard(Transcript(TEXT, words, 2000.0), None).last_word == "my"
