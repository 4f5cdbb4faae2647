"""The words of a context with their times, as a dialect gets them: a message `words` whose field
`words` is a sequence of TimedWord, in the order of the text.

**Not joined yet.** The sessions of this tree tell no word times: no context sends `words`, and so
no dialect sends any. What the dialects make of them is complete and tested. To join: where the
socket's own message with words is made, `SpeechContext` says
`outbox.tell(context, "words", words=[TimedWord(...), ...])`, each word once, when both its times
are known, with its place in the text that the context was given, and with times from the first
sample of the context (all takes before it counted).
"""

from collections.abc import Sequence
from typing import NamedTuple, cast

from app.api.dialects.dialect import ServerMessage


class TimedWord(NamedTuple):
    """`text` stands at `char_start:char_end` of all text that the context was given. Times are
    those of the sound as it is heard, from the context's first sample."""

    text: str
    start_ms: float
    end_ms: float
    char_start: int
    char_end: int


def words_of(message: ServerMessage, filler_ms: float = 0.0) -> list[TimedWord]:
    """`filler_ms`: of silence that went out beside the stream so far. The client hears the words
    that much later."""
    words = cast(Sequence[TimedWord], message.fields.get("words", ()))
    return [
        word._replace(start_ms=word.start_ms + filler_ms, end_ms=word.end_ms + filler_ms)
        for word in words
    ]
