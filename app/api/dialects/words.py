"""The words of a context with their times, as a dialect gets them. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple, cast

from app.api.dialects.dialect import ServerMessage
from app.spoken_words import SpokenWord


class TimedWord(NamedTuple):
    """`text` stands at `char_start:char_end` of all text that the context was given. Times are
    those of the sound as it is heard, from the context's first sample."""

    text: str
    start_ms: float
    end_ms: float
    char_start: int
    char_end: int


def words_of(message: ServerMessage) -> list[TimedWord]:
    """Of a message `words`."""
    told = cast(Sequence[Mapping[str, Any]], message.fields.get("words", ()))
    return timed(SpokenWord(**word) for word in told)


def timed(words: Iterable[SpokenWord]) -> list[TimedWord]:
    """Of words that are told once: they have both times."""
    return [
        TimedWord(word.text, word.start_ms, word.end_ms, word.char_start, word.char_end)
        for word in words
        if word.end_ms is not None
    ]
