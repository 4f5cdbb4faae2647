"""What leaves the engine of a sequence: its tokens in groups, with the words that they tell of.

Runs without torch. Knows nothing about steps.
"""

from app.core import FinishReason, SpeechTokens
from app.engine.t3.sequence import Sequence
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


def _news(sequence: Sequence) -> tuple[WordMark, ...]:
    if sequence.words is None:
        return ()
    if sequence.finish is not None:
        sequence.words.finish(len(sequence.codec_ids))
    return sequence.words.news()
