"""Words begin and end where the path through the text reaches and leaves their letters."""

import random

import pytest

from app.engine.checkpoint.text_origins import WordIds
from app.engine.t3.spoken_words import SpokenWords
from app.word_marks import WordMark

WORDS = (WordIds(0, 3), WordIds(4, 6), WordIds(7, 9))  # "one, to be" by letters


def told(spoken: SpokenWords, path: list[int]) -> list[tuple[WordMark, ...]]:
    """The news after each token."""
    news = []
    for token, text_id in enumerate(path):
        spoken.reach(token, text_id)
        news.append(spoken.news())
    return news


def test_a_word_is_told_when_it_begins_and_again_when_it_ends():
    spoken = SpokenWords(WORDS, offset_tokens=0.0)
    assert told(spoken, [-1, 0, 2, 3, 4]) == [
        (),
        (WordMark(0, 1.0),),
        (),
        (WordMark(0, 1.0, 3.0),),
        (WordMark(1, 4.0),),
    ]


def test_the_offset_of_the_head_is_taken_off():
    spoken = SpokenWords(WORDS, offset_tokens=1.5)
    assert told(spoken, [0, 3])[1] == (WordMark(0, 1.5, 2.5),)


def test_no_word_begins_before_the_sound():
    assert told(SpokenWords(WORDS, offset_tokens=-2.0), [0]) == [(WordMark(0, 0.0),)]


def test_a_path_that_falls_back_begins_no_word_again():
    spoken = SpokenWords(WORDS, offset_tokens=0.0)
    told(spoken, [0, 4])
    assert told(spoken, [1, 4]) == [(), ()]


def test_words_that_one_token_passes_share_it():
    spoken = SpokenWords(WORDS, offset_tokens=0.0)
    assert told(spoken, [0, 7])[1] == (
        WordMark(0, 0.0, 1.0),
        WordMark(1, 1.0, 1.5),
        WordMark(2, 1.5),
    )


def test_the_end_of_a_segment_ends_its_last_word():
    spoken = SpokenWords(WORDS, offset_tokens=0.0)
    told(spoken, [0, 4, 7])
    spoken.finish(5)
    assert spoken.news() == (WordMark(2, 2.0, 5.0),)


def test_no_word_lies_behind_the_last_token():
    spoken = SpokenWords(WORDS, offset_tokens=2.0)
    told(spoken, [0, 3, 7])
    spoken.finish(3)
    assert spoken.news() == (WordMark(0, 1.5, 2.0), WordMark(1, 2.0, 2.5), WordMark(2, 2.5, 3.0))


@pytest.mark.parametrize("offset_tokens", [-10.0, -0.7, 0.0, 1.5, 10.0])
@pytest.mark.parametrize("num_tokens", [1, 2, 3, 9])
def test_every_word_lasts_and_they_are_in_order(offset_tokens, num_tokens):
    words = tuple(WordIds(first, first + 1) for first in range(0, 12, 2))
    drawn = random.Random(num_tokens)
    for _ in range(50):
        spoken = SpokenWords(words, offset_tokens)
        marks: dict[int, WordMark] = {}
        text_id = -1
        for token in range(num_tokens):
            spoken.reach(token, text_id := text_id + drawn.randrange(-1, 4))
            marks.update((mark.word, mark) for mark in spoken.news())
            _check(list(marks.values()))
        spoken.finish(num_tokens)
        marks.update((mark.word, mark) for mark in spoken.news())
        _check(list(marks.values()))
        assert all((mark.end_token or 99) <= num_tokens for mark in marks.values())


def _check(marks: list[WordMark]) -> None:
    at = 0.0
    for mark in marks:
        assert mark.start_token >= at
        at = mark.start_token if mark.end_token is None else mark.end_token
        assert mark.end_token is None or mark.end_token > mark.start_token


def test_a_word_that_was_not_reached_has_no_mark():
    spoken = SpokenWords(WORDS, offset_tokens=0.0)
    told(spoken, [0, 4])
    spoken.finish(9)
    assert [mark.word for mark in spoken.news()] == [1]


def test_tokens_after_the_last_word_are_its_tail():
    spoken = SpokenWords(WORDS, offset_tokens=0.0)
    told(spoken, [0, 4, 7, 9, 9, 8, 9])
    assert spoken.num_tail == 3
    assert spoken.num_skipped == 0


def test_tokens_in_which_the_text_goes_no_further_are_still():
    spoken = SpokenWords(WORDS, offset_tokens=0.0)
    told(spoken, [-1, -1, 0, 4, 2, 3])
    assert spoken.num_still == 2
    spoken.reach(6, 5)
    assert (spoken.num_still, spoken.most_still) == (0, 2)


def test_tokens_that_lie_before_the_farthest_are_fallen():
    spoken = SpokenWords(WORDS, offset_tokens=0.0)
    told(spoken, [-1, 0, 2, 4, 6, 4, 3, 2, 5, 6])
    assert (spoken.num_fallen, spoken.num_jumped) == (2, 0)


def test_tokens_that_pass_much_of_the_text_jump():
    spoken = SpokenWords((WordIds(0, 20),), offset_tokens=0.0)
    told(spoken, [-1, -1, 0, 3, 6, 9, 12, 13, 14])
    assert (spoken.num_jumped, spoken.num_fallen) == (2, 0)


def test_words_that_the_path_did_not_reach_are_skipped():
    spoken = SpokenWords(WORDS, offset_tokens=0.0)
    told(spoken, [0, 2])
    assert spoken.num_skipped == 2


def test_the_last_letter_of_a_word_may_be_missed():
    spoken = SpokenWords(WORDS, offset_tokens=0.0)
    told(spoken, [0, 4, 7])
    assert spoken.num_skipped == 0
