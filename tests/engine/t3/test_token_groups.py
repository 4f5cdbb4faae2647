"""What is counted of a sequence whose path through the text is followed."""

import pytest

from app.core import FinishReason
from app.engine.checkpoint.text_origins import WordIds
from app.engine.stats import TokenCounts
from app.engine.t3.alignment_heads import MS_PER_TOKEN
from app.engine.t3.spoken_words import SpokenWords
from app.engine.t3.token_groups import count_words

WORDS = (WordIds(0, 3), WordIds(4, 6), WordIds(7, 30))


def counted(path, finish):
    words = SpokenWords(WORDS, offset_tokens=0.0)
    for token, text_id in enumerate(path):
        words.reach(token, text_id)
    words.finish(len(path))
    counts = TokenCounts()
    count_words(counts, words, finish)
    return counts


def test_words_that_were_not_reached_are_counted_where_the_model_stopped():
    assert counted([0, 2, 4], FinishReason.STOP).num_skipped_words == 1
    assert counted([0, 2, 4], FinishReason.LENGTH).num_skipped_words == 0


@pytest.mark.parametrize("finish", [FinishReason.STOP, FinishReason.LENGTH, FinishReason.BABBLE])
def test_whoever_ended_it_a_path_that_fell_and_leapt_is_counted_with_its_tail(finish):
    counts = counted([0, 5, 1, 20, 20, 20, 20, 29, 29, 29], finish)
    assert counts.num_fallen_tokens == 1
    assert counts.num_jumped_tokens > 0
    assert len(counts.tail_ms.take()) == 1
    assert counts.still_ms.take() == [3 * MS_PER_TOKEN]
    assert counts.num_babbles == (finish is FinishReason.BABBLE)


@pytest.mark.parametrize("finish", [FinishReason.CANCELLED, FinishReason.ERROR])
def test_nothing_is_counted_of_a_cancelled_or_failed_one(finish):
    counts = counted([0, 5, 1, 20], finish)
    assert counts.num_fallen_tokens == counts.num_jumped_tokens == counts.num_skipped_words == 0
    assert not counts.tail_ms.take()
    assert not counts.still_ms.take()
