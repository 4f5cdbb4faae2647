"""What was said is kept for a while, and no more of it than fits."""

import pytest

from app.core import FinishReason, SessionKey
from app.sessions import transcripts as module
from app.sessions.table import SessionEnd
from app.sessions.transcripts import Transcripts
from app.spoken_words import SpokenWord, Transcript

A, B = SessionKey("default", "a"), SessionKey("default", "b")
TEXT = "Hello there."
WORDS = (SpokenWord("Hello", 0, 5, 0.0, 400.0), SpokenWord("there.", 6, 12, 400.0, 900.0))
SAID = Transcript(TEXT, WORDS, 1000.0)
FINISHED = SessionEnd(FinishReason.STOP, transcript=SAID)
CANCELLED = SessionEnd(FinishReason.CANCELLED, transcript=SAID)


@pytest.fixture
def transcripts(clock):
    return Transcripts(300, clock)


def text_of(heard):
    return None if heard is None else heard.text


def test_nothing_is_known_of_a_session_that_has_not_ended(transcripts):
    transcripts.played(A, 500.0)
    assert transcripts.get(A) is None
    assert transcripts.heard(A) is None
    assert transcripts.reported(A) is None


def test_what_was_played_may_be_told_before_the_session_ends(transcripts):
    transcripts.played(A, 500.0)
    transcripts.keep(A, CANCELLED)
    assert text_of(transcripts.heard(A)) == "Hello"


def test_what_was_played_may_be_told_after_the_session_has_ended(transcripts):
    transcripts.keep(A, FINISHED)
    assert text_of(transcripts.heard(A)) == TEXT
    assert transcripts.reported(A) is None
    transcripts.played(A, 500.0)
    assert text_of(transcripts.reported(A)) == "Hello"


def test_the_first_that_is_told_counts(transcripts):
    transcripts.keep(A, CANCELLED)
    transcripts.played(A, 500.0)
    transcripts.played(A, 1000.0)
    transcripts.keep(A, SessionEnd(FinishReason.STOP, transcript=Transcript("", (), 0.0)))
    assert text_of(transcripts.heard(A)) == "Hello"


def test_the_end_of_a_group_may_tell_what_was_played(transcripts):
    transcripts.keep(A, CANCELLED._replace(played_ms=500.0))
    assert text_of(transcripts.reported(A)) == "Hello"


def test_a_session_that_was_cut_is_reported_without_a_playout_clock(transcripts):
    transcripts.keep(A, CANCELLED)
    assert text_of(transcripts.reported(A)) == TEXT


def test_a_session_without_an_account_has_no_transcript(transcripts):
    transcripts.keep(A, SessionEnd(FinishReason.STOP))
    assert transcripts.get(A) is None
    assert len(transcripts) == 0


def test_transcripts_are_forgotten_after_a_while(transcripts, clock):
    transcripts.keep(A, FINISHED)
    clock.now += 200
    transcripts.keep(B, FINISHED)
    clock.now += 101
    assert (transcripts.get(A), transcripts.get(B)) == (None, SAID)
    transcripts.keep_for(50)
    assert transcripts.get(B) is None


def test_the_oldest_is_forgotten_where_there_are_too_many_words(transcripts, monkeypatch):
    monkeypatch.setattr(module, "MAX_WORDS", 6)
    keys = [SessionKey("default", str(num)) for num in range(4)]
    for key in keys:
        transcripts.keep(key, FINISHED)
    assert [transcripts.get(key) is not None for key in keys] == [False, False, True, True]


def test_the_oldest_is_forgotten_where_texts_without_words_are_long(transcripts, monkeypatch):
    monkeypatch.setattr(module, "MAX_WORDS", 300)
    for num in range(100):
        said = Transcript("- " * 2000, (), 0.0)
        transcripts.keep(SessionKey("default", str(num)), CANCELLED._replace(transcript=said))
    kept = [transcripts.get(SessionKey("default", str(num))) for num in range(100)]
    assert sum(len(each.text) for each in kept if each) <= 300 * 64
    assert kept[-1] is not None
