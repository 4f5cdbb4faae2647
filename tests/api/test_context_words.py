"""The words of several takes are one account, in one text and on one clock."""

import numpy as np
import pytest

from app.api import context_words
from app.api.context_words import ContextWords
from app.core import SAMPLE_RATE, AudioChunk, FinishReason, SessionKey
from app.sessions.word_clock import SoundClock, WordClock
from app.word_marks import WordTime

TEXT = "One two. Three four."
SECOND = SAMPLE_RATE  # samples
DELAY_S = 0.05


def spoken(words, places, is_complete=True):
    """A take of two words and a second at speed 1 is spoken."""
    clock = SoundClock((), words.speed, DELAY_S, words.begins_s)
    take = WordClock(TEXT, (places,), clock)
    words.begin(take)
    times = (WordTime(0, 0, 0, SECOND // 2), WordTime(0, 1, SECOND // 2, SECOND))
    finish = FinishReason.STOP if is_complete else None
    pcm = np.zeros(SECOND, np.float32)
    take.add(AudioChunk(SessionKey("default", "c-0"), 0, 0, pcm, finish=finish, words=times))
    words.encoded(SECOND)


def two_takes(speed=1.0, is_complete=True):
    words = ContextWords(speed, DELAY_S)
    spoken(words, ((0, 3), (4, 8)))
    words.end()
    spoken(words, ((9, 14), (15, 20)), is_complete)
    return words


def times(transcript):
    return [(word.text, word.start_ms, word.end_ms) for word in transcript.words]


@pytest.mark.parametrize("speed", [1.0, 2.0])
def test_the_second_take_follows_the_first(speed):
    transcript = two_takes(speed).transcript(TEXT, 2 / speed)
    assert times(transcript) == [
        ("One", 50, 50 + 500 / speed),
        ("two.", 50 + 500 / speed, 50 + 1000 / speed),
        ("Three", 50 + 1000 / speed, 50 + 1500 / speed),
        ("four.", 50 + 1500 / speed, 50 + 2000 / speed),
    ]
    assert transcript.audio_ms == 50 + 2000 / speed


@pytest.mark.parametrize(("sent_s", "num_words"), [(0.0, 0), (0.3, 1), (1.2, 3), (2.0, 4)])
def test_the_words_are_those_whose_sound_was_sent(sent_s, num_words):
    transcript = two_takes(is_complete=False).transcript(TEXT, sent_s)
    assert len(transcript.words) == num_words


def test_after_the_last_take_all_words_are_there():
    words = two_takes()
    words.end()
    assert len(words.transcript(TEXT, 2.0).words) == 4


def test_the_first_words_of_an_endless_context_are_forgotten(monkeypatch):
    monkeypatch.setattr(context_words, "MAX_WORDS", 3)
    words = two_takes()
    words.end()
    assert [word.text for word in words.transcript(TEXT, 2.0).words] == ["two.", "Three", "four."]
