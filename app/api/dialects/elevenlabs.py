"""ElevenLabs' sockets, `multi-stream-input` and `stream-input`: their frames and the contexts of
our own socket.

A context opens with its first text, which most clients send as one space. The first `close_context`
ends its text, and it is spoken to its end. The second is a barge-in: the context is stopped, and
nothing of it follows. The socket of one context ends with an empty text, and the server closes it.
Pure.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from app.api.dialects import elevenlabs_messages as messages
from app.api.dialects.alignment import Alignments
from app.api.dialects.cut_speech import cut_of
from app.api.dialects.dialect import (
    Frame,
    KeepAlive,
    Opening,
    ServerMessage,
    Step,
)
from app.api.dialects.elevenlabs_fields import SocketQuery, opening_of
from app.api.dialects.names import ContextNames, FailedIds, end_failed
from app.api.dialects.silence import short_silence
from app.api.dialects.values import flag_of, object_of, text_of
from app.api.dialects.words import TimedWord, words_of
from app.api.json_body import parse_object
from app.api.socket_messages import Cancel, Close, Flush, Text
from app.core import FinishReason
from app.errors import BadRequest

MAX_ID_CHARS = 256
ONLY = ""  # the id of the context of a socket with one context


@dataclass(slots=True)
class _Context:
    opening: Opening
    alignments: Alignments
    words: list[TimedWord] = field(default_factory=list)  # that go out with the next sound
    is_closing: bool = False
    has_text: bool = False  # beside the space that opened it
    is_heard: bool = False


class ElevenLabs:
    """Implements Dialect."""

    ends_failed = True

    def __init__(self, query: SocketQuery, languages: Sequence[str], *, is_multi: bool) -> None:
        """`languages`: those of the served model. `is_multi`: the socket has several contexts. With
        one, the vendor's SDK looks at the last message alone, so nothing may follow an error."""
        self.closes_failed = not is_multi
        self._query = query
        self._languages = languages
        self._is_multi = is_multi
        self._names: ContextNames[_Context] = ContextNames()
        self._failed = FailedIds()
        self._read_id: str | None = None  # of the frame that is being read

    def read(self, frame: str) -> Iterator[Step]:
        self._read_id = None
        body = parse_object(frame.encode("utf-8", "surrogatepass"), "the message")
        if flag_of(body, "close_socket"):
            yield Close(type="close")
            return
        given = text_of(body, "context_id") if self._is_multi else ONLY
        if given is not None and len(given) > MAX_ID_CHARS:
            message = f"context_id: at most {MAX_ID_CHARS} characters are allowed"
            raise BadRequest(message, param="context_id")
        self._read_id = given
        try:
            yield from self._take(given, body)
        except BadRequest:
            if given is not None:
                yield from end_failed(
                    self._names, self._failed, given, goes_on=body.get("close_context") is not True
                )
            raise

    def _take(self, given: str | None, body: dict[str, object]) -> Iterator[Step]:
        text = text_of(body, "text")
        if not self._is_multi and text == "":  # the end
            yield Close(type="close")
        elif given is not None:
            yield from self._of_context(given, text or "", body)
        elif text and text.strip():
            raise BadRequest("context_id: the id of the context is missing", param="context_id")
        else:
            yield KeepAlive()

    def _of_context(self, vendor_id: str, text: str, body: dict[str, object]) -> Iterator[Step]:
        closes = flag_of(body, "close_context")
        if self._failed.has(vendor_id, is_last=closes):
            return
        context: _Context | None = self._names.of_vendor(vendor_id)
        if context is not None and context.is_closing:
            yield from self._after_end(vendor_id, closes)
            return
        if context is None:
            if not text:  # or it ends a context that has ended by itself
                yield KeepAlive()
                return
            yield self._open(vendor_id, object_of(body, "voice_settings"))
            context = self._names.of_vendor(vendor_id)
        name = self._names.name_of(vendor_id)
        if name is None or context is None:
            return
        is_space = text.isspace()
        if text and (context.has_text or not is_space):
            context.has_text = True
            said = self._said(text)
            context.alignments.add_text(said)
            yield Text(type="text", context_id=name, text=said)
        if flag_of(body, "flush"):
            yield Flush(type="flush", context_id=name)
        if not text or is_space:
            yield KeepAlive()
        if closes:
            context.is_closing = True
            yield Close(type="close", context_id=name)

    def _after_end(self, vendor_id: str, closes: bool) -> Iterator[Step]:
        """Text behind the end is not spoken. `closes`: the second time, which is a barge-in."""
        name = self._names.name_of(vendor_id)
        if not closes or name is None:
            yield KeepAlive()
            return
        self._names.forget(name)
        self._failed.add(vendor_id)  # text of it may be on its way
        yield Cancel(type="cancel", context_id=name)

    def _open(self, vendor_id: str, settings: Mapping[str, object]) -> Opening:
        opening = opening_of(self._query, settings, "new", self._languages)
        alignments = Alignments(is_synced=self._query.is_synced)
        name = self._names.open(vendor_id, _Context(opening, alignments))
        start = opening.start.model_copy(update={"context_id": name})
        return Opening(start, opening.sound, opening.silence)

    def _said(self, text: str) -> str:
        """Whole sentences may come without a space between them."""
        is_open = self._query.has_whole_sentences and not text[-1:].isspace()
        return f"{text} " if is_open else text

    def write(self, message: ServerMessage) -> Sequence[Frame]:
        found = self._names.find(message.context_id)
        if found is None:
            if message.error is not None and message.stream is None:
                return (self._frame(self._read_id, messages.error(message.error)),)
            return ()
        vendor_id, context = found
        told = self._told(vendor_id, context, message)
        return tuple(self._frame(vendor_id, each) for each in told)

    def _told(
        self, vendor_id: str, context: _Context, message: ServerMessage
    ) -> Iterator[messages.Message]:
        match message.kind:
            case "audio":
                yield self._audio(context, message.sound)
            case "words":
                context.words += words_of(message)
            case "done":
                self._names.forget(message.context_id)
                if message.fields.get("finish_reason") == FinishReason.CANCELLED:
                    if not context.is_closing:
                        self._failed.add(vendor_id)
                    yield messages.cancelled_elsewhere()
                    return
                yield from self._end(context)
                cut = cut_of(message)
                if cut is None or self._is_multi:
                    yield messages.final()
                if cut is not None:  # LiveKit throws sound away that it has not decoded by then
                    yield messages.error(cut)
            case "cancelled":
                self._names.forget(message.context_id)
            case "error":
                self._names.forget(message.context_id)
                if not context.is_closing:
                    self._failed.add(vendor_id)
                yield messages.error(message.error or RuntimeError())

    def _audio(self, context: _Context, sound: bytes) -> messages.Message:
        context.is_heard = True
        words, context.words = context.words, []
        return messages.audio(sound, context.alignments.of(words))

    def _end(self, context: _Context) -> Iterator[messages.Message]:
        if not context.is_heard:
            yield self._audio(context, short_silence(context.opening))
        chars = context.alignments.of(context.words) + context.alignments.rest()
        if chars:
            yield messages.audio(b"", chars)

    def _frame(self, vendor_id: str | None, message: messages.Message) -> str:
        if self._is_multi and vendor_id is not None:
            message = {**message, "contextId": vendor_id}
        return json.dumps(message)
