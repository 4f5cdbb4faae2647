"""The end of a segment's last word, which its sound tells."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core import SAMPLES_PER_TOKEN, FinishReason, SessionKey
from app.engine.last_word import FRAME, LastWord, falls_silent
from app.engine.s3gen.messages import SegmentAudio
from app.word_marks import LEAST_TOKENS, WordMark

KEY = SessionKey("", "s")
NUM_TOKENS, SPOKEN_TOKENS = 30, 22
WORD = WordMark(1, 12.0, 18.0)  # T3's attention leaves it four tokens before its sound ends
OTHER = WordMark(0, 2.0, 12.0)


def sound(num_spoken=SPOKEN_TOKENS * SAMPLES_PER_TOKEN, floor=1e-3):
    """Speech, and then the noise of a room."""
    rng = np.random.default_rng(1)
    noise = rng.standard_normal(NUM_TOKENS * SAMPLES_PER_TOKEN)
    level = np.where(np.arange(len(noise)) < num_spoken, 0.1, floor)
    return (level * noise).astype(np.float32)


def parts(pcm, borders, words, finish=FinishReason.STOP):
    """The segment's sound, cut there. The words come with the first part."""
    ends = [*sorted(borders), len(pcm)]
    for number, (start, end) in enumerate(zip([0, *ends], ends, strict=False)):
        is_last = end == len(pcm) and number == len(ends) - 1
        part = SegmentAudio(KEY, 0, start, pcm[start:end], NUM_TOKENS, finish if is_last else None)
        yield replace(part, words=() if number else words)


def told(pcm, borders=(), words=(OTHER, WORD), finish=FinishReason.STOP, number=1):
    """The newest mark of each word."""
    last_word = LastWord(number)
    marks = [last_word.placed(part).words for part in parts(pcm, borders, words, finish)]
    return {mark.word: mark for each in marks for mark in each}


def test_the_last_word_ends_where_its_sound_falls_silent():
    marks = told(sound())
    assert marks[0] == OTHER
    assert marks[1] == replace(WORD, end_token=SPOKEN_TOKENS)


@given(st.lists(st.integers(0, NUM_TOKENS * SAMPLES_PER_TOKEN), max_size=4))
def test_however_the_sound_comes_the_word_ends_at_the_same_place(borders):
    assert told(sound(), borders) == told(sound())


def test_the_word_is_told_again_with_the_last_part_alone():
    last_word = LastWord(1)
    first, last = parts(sound(), [20 * SAMPLES_PER_TOKEN], (OTHER, WORD))
    assert last_word.placed(first) == first
    assert [mark.word for mark in last_word.placed(last).words] == [1]


def test_a_mark_may_be_replaced_before_the_sound_ends():
    moved = replace(WORD, start_token=14.0)
    last_word = LastWord(1)
    first, last = parts(sound(), [10 * SAMPLES_PER_TOKEN], (OTHER, WORD))
    last_word.placed(first)
    assert last_word.placed(replace(last, words=(moved,))).words == (
        replace(moved, end_token=SPOKEN_TOKENS),
    )


@pytest.mark.parametrize(
    ("case", "changed"),
    {
        "loud to its end": {"pcm": sound(num_spoken=NUM_TOKENS * SAMPLES_PER_TOKEN)},
        "silent": {"pcm": np.zeros(NUM_TOKENS * SAMPLES_PER_TOKEN, np.float32)},
        "shorter than a frame": {"pcm": sound()[: FRAME - 1]},
        "cut at its limit": {"finish": FinishReason.LENGTH},
        "cut by a guard": {"finish": FinishReason.BABBLE},
        "cancelled": {"finish": FinishReason.CANCELLED},
        "an estimate": {"words": (OTHER, replace(WORD, is_estimate=True))},
        "of a segment whose last word was skipped": {"number": 2},
        "of a segment without words": {"number": -1, "words": ()},
    }.items(),
)
def test_the_marks_of_t3_stay_where_the_sound_tells_nothing(case, changed):
    words = changed.get("words", (OTHER, WORD))
    marks = told(**({"pcm": sound()} | changed))
    assert tuple(marks.values()) == words, case


def test_a_word_whose_sound_is_over_before_it_begins_lasts_a_moment():
    pcm = sound(num_spoken=12 * SAMPLES_PER_TOKEN + FRAME, floor=1e-4)
    assert told(pcm)[1].end_token == WORD.start_token + LEAST_TOKENS


def test_a_click_in_the_silence_is_not_taken_for_speech_where_it_is_quiet():
    pcm = sound()
    pcm[-FRAME * 4 : -FRAME * 3] = 0.002
    assert falls_silent(pcm) == SPOKEN_TOKENS * SAMPLES_PER_TOKEN
