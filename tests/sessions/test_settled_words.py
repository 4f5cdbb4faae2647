"""Words that are told once: in order, with both times, and none long after its sound."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from app.core import SAMPLE_RATE, AudioChunk, FinishReason, SessionKey
from app.sessions.settled_words import SettledWords
from app.sessions.word_clock import SoundClock, WordClock
from app.word_marks import WordTime

KEY = SessionKey("default", "words-1")
TEXT = "Pay $5 now. Or later."
PLACES = (((0, 3), (4, 6), (4, 6), (7, 11)), ((12, 14), (15, 21)))  # "five dollars"
MS = SAMPLE_RATE // 1000  # samples


class Telling:
    def __init__(self, **clock):
        self.clock = WordClock(TEXT, PLACES, SoundClock(**clock))
        self.words = SettledWords(self.clock)

    def hears(self, segment, start_ms, end_ms, *words, finish=None):
        """What is told with a chunk. Each word: its number, start and end in ms."""
        times = tuple(
            WordTime(segment, word, start * MS, None if end is None else end * MS)
            for word, start, end in words
        )
        pcm = np.zeros((end_ms - start_ms) * MS, np.float32)
        self.clock.add(AudioChunk(KEY, segment, start_ms * MS, pcm, finish=finish, words=times))
        told = self.words.news(end_ms, is_last=finish is not None)
        return [(word.text, word.start_ms, word.end_ms) for word in told]


def test_a_word_is_told_once_its_end_is_known():
    telling = Telling()
    assert telling.hears(0, 0, 200, (0, 50, None)) == []
    assert telling.hears(0, 200, 400, (0, 50, 300), (1, 300, 450)) == [("Pay", 50, 300)]
    told = telling.hears(0, 400, 800, (2, 450, 700), (3, 700, None))
    assert told == [("$5", 300, 700)]


def test_a_word_is_not_told_again_with_better_times():
    telling = Telling()
    assert telling.hears(0, 0, 400, (0, 50, 300)) == [("Pay", 50, 300)]
    assert telling.hears(0, 400, 600, (0, 50, 350), (1, 340, 450), (2, 450, 500)) == [
        ("$5", 340, 500)
    ]


def test_a_word_does_not_begin_before_the_end_that_was_told():
    telling = Telling()
    telling.hears(0, 0, 400, (0, 50, 300))
    told = telling.hears(0, 400, 600, (0, 50, 250), (1, 250, 450), (2, 450, 500))
    assert told == [("$5", 300, 500)]


def test_estimates_are_told_with_their_sound_and_not_before():
    telling = Telling()
    told = telling.hears(0, 0, 200)  # 12 characters a second
    assert [text for text, _, _ in told] == ["Pay"]
    told = telling.hears(0, 200, 700, (1, 400, 500), (2, 500, 600), (3, 600, 690))
    assert [(text, start_ms) for text, start_ms, _ in told] == [("$5", 400), ("now.", 600)]


def test_an_estimate_is_forgotten_once_the_model_marks_a_word_of_its_segment():
    telling = Telling()
    telling.hears(0, 0, 200)  # "now." is estimated to begin at 833 ms
    telling.hears(0, 200, 700, (1, 400, 500), (2, 500, 900))
    assert telling.hears(0, 700, 1000) == []
    assert telling.hears(0, 1000, 1200, (3, 1000, 1200)) == [("now.", 1000, 1200)]


def test_words_that_the_model_skipped_share_the_time_before_the_next():
    telling = Telling()
    told = telling.hears(0, 0, 900, (3, 700, 900))
    assert told == [("Pay", 0, 400), ("$5", 400, 700), ("now.", 700, 900)]


def test_the_words_of_a_later_take_begin_where_it_begins():
    telling = Telling(begins_s=2.0)
    told = telling.hears(0, 0, 900, (3, 700, 900))
    assert told[0] == ("Pay", 2000, 2400)


def test_at_the_end_all_that_was_said_is_told():
    telling = Telling()
    first = telling.hears(0, 0, 900, (0, 50, 300), (1, 300, 400), (2, 400, 500), (3, 500, None))
    last = telling.hears(1, 900, 2000, (0, 1000, None), finish=FinishReason.STOP)
    assert [text for text, _, _ in first + last] == TEXT.split()
    assert last[-1][2] == 2000


def test_a_word_whose_sound_was_cut_has_an_end_and_those_behind_it_are_not_told():
    telling = Telling()
    told = telling.hears(0, 0, 400, (0, 50, 300), (1, 300, None), finish=FinishReason.LENGTH)
    assert [text for text, _, _ in told] == ["Pay", "$5"]
    assert told[1][2] > 300


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(1, 400), st.booleans()), max_size=12))
@settings(max_examples=60, deadline=None)
def test_every_word_is_told_once_and_in_order_whatever_the_model_marks(chunks):
    """Each chunk has a mark of any word of its segment, anywhere near its sound."""
    telling, at_ms, told = Telling(), 0, []
    for number, (word, length_ms, has_end) in enumerate(chunks):
        segment = 0 if number < len(chunks) // 2 else 1
        marked = min(word, len(PLACES[segment]) - 1)
        end_ms = at_ms + length_ms if has_end else None
        told += telling.hears(segment, at_ms, at_ms + length_ms, (marked, at_ms, end_ms))
        at_ms += length_ms
    told += telling.hears(1, at_ms, at_ms + 100, finish=FinishReason.STOP)
    assert [text for text, _, _ in told] == TEXT.split()
    times = [time for _, *span in told for time in span]
    assert times == sorted(times)
