"""What leaves the engine of a sequence: its tokens in groups, with the words that they tell of.

Runs without torch. Knows nothing about steps.
"""

from app.core import FinishReason, SpeechTokens
from app.engine.stats import TokenCounts
from app.engine.t3.alignment_heads import MS_PER_TOKEN
from app.engine.t3.sequence import Sequence
from app.engine.t3.spoken_words import SpokenWords
from app.word_marks import WordMark


def group_of(sequence: Sequence, tail: tuple[int, ...]) -> SpeechTokens:
    """The tokens that have not left, and the marks that are new. `tail` is added to the end of a
    sequence."""
    finish = sequence.finish
    ids = tuple(sequence.codec_ids[sequence.num_sent :]) + (() if finish is None else tail)
    marks = _news(sequence)
    return SpeechTokens(sequence.key, sequence.segment, sequence.num_sent, ids, finish, words=marks)


def last_group(sequence: Sequence, finish: FinishReason) -> SpeechTokens:
    """An empty group that ends the segment."""
    start, fault = sequence.num_sent, sequence.fault
    return SpeechTokens(sequence.key, sequence.segment, start, (), finish, fault=fault)


def count_words(counts: TokenCounts, words: SpokenWords, finish: FinishReason) -> None:
    """Of a sequence that has ended. One that ran to its limit or into a guard went astray most of
    all; its words that are missing are told by its finish."""
    counts.num_babbles += finish is FinishReason.BABBLE
    if finish is FinishReason.STOP:
        counts.num_skipped_words += words.num_skipped
    if finish.is_complete:
        counts.num_fallen_tokens += words.num_fallen
        counts.num_jumped_tokens += words.num_jumped
        counts.tail_ms.append(words.num_tail * MS_PER_TOKEN)
        counts.still_ms.append(words.most_still * MS_PER_TOKEN)


def _news(sequence: Sequence) -> tuple[WordMark, ...]:
    if sequence.words is None:
        return ()
    if sequence.finish is not None:
        sequence.words.finish(len(sequence.codec_ids))
    return sequence.words.news()
