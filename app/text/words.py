"""The spoken words of a text's segments, each with its place in the caller's text. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from app.text.spans import Span, SpannedText
from app.text.word_breaks import words
from app.word_marks import WordSpan


@dataclass(frozen=True, slots=True)
class Word:
    """A word that is spoken, and what it came from: `start:end` of the caller's text. Words of one
    written form (`$5`) have the same place; others never overlap."""

    text: str
    start: int
    end: int


def spans_of(segments: Sequence[SpannedText]) -> tuple[tuple[WordSpan, ...], ...]:
    """Where the words of each segment stand in its own text."""
    return tuple(tuple(WordSpan(*span) for span in words(each.text)) for each in segments)


def words_of(
    segments: Sequence[SpannedText], spans: Sequence[Sequence[WordSpan]]
) -> tuple[tuple[Word, ...], ...]:
    """The words of each segment, which stand at these spans of its text."""
    pairs = list(zip(segments, spans, strict=True))
    places = iter(_apart([each.span(*span) for each, own in pairs for span in own]))
    return tuple(
        tuple(Word(each.text[slice(*span)], *next(places)) for span in own) for each, own in pairs
    )


def _apart(places: list[Span]) -> list[Span]:
    """Places that overlap become one place for all of their words."""
    apart: list[Span] = []
    num_words: list[int] = []  # at each place
    for place in places:
        if apart and place.start < apart[-1].end:
            last = apart[-1]
            apart[-1] = Span(min(last.start, place.start), max(last.end, place.end))
            num_words[-1] += 1
        else:
            apart.append(place)
            num_words.append(1)
    return [place for place, num in zip(apart, num_words, strict=True) for _ in range(num)]
