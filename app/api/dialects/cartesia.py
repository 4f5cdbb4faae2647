"""Cartesia's socket, `/tts/websocket`: its frames and the contexts of our own socket.

A context opens with its first generation; the later ones bring text alone. `continue: false` ends
its text. The answer to a cancel is `done`, and a failed context says `done` behind its error (but
see `is_sdk`). Nothing of that context follows. Every message has a `context_id`, because Pipecat's
receiver breaks at a message without one; where none was given, it is empty. Pure: a clock is given.
"""

import json
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass, field
from uuid import uuid4

from app.api.dialects import cartesia_messages as messages
from app.api.dialects.cartesia_fields import opening_of
from app.api.dialects.cut_speech import cut_of
from app.api.dialects.dialect import Frame, Opening, Reply, ServerMessage, Step
from app.api.dialects.markup import TagReplacer
from app.api.dialects.names import ContextNames, FailedIds, end_failed
from app.api.dialects.silence import short_silence
from app.api.dialects.values import flag_of, text_of
from app.api.dialects.words import TimedWord, words_of
from app.api.json_body import parse_object
from app.api.socket_messages import Cancel, Close, Flush, Text
from app.core import FinishReason
from app.errors import BadRequest

MAX_ID_CHARS = 256
NUM_LOST = 13  # times 20 ms: LiveKit throws the last 210 ms before an error away
_LOST = "transcript: this context has failed; use another context_id"
_TAGS = {
    "speed": "",
    "volume": "",
    "emotion": "",
    "spell": '<say-as interpret-as="characters">',
    "/spell": "</say-as>",
}


def tag_replacer() -> TagReplacer:
    """`break` is read by app/text; speed, volume and emotion are those of a whole context here."""
    return TagReplacer(_TAGS)


def as_sent(words: Sequence[TimedWord]) -> list[TimedWord]:
    """The words with the tags that the client sent: LiveKit searches each word in its own text."""
    sent = list(words)
    for name, said in _TAGS.items():
        if said:
            sent = [word._replace(text=word.text.replace(said, f"<{name}>")) for word in sent]
    return sent


@dataclass(slots=True)
class _Context:
    opening: Opening
    has_whole_texts: bool  # the client waits for no buffer: each text is a sentence
    last_s: float  # when the last message was made, or the text came
    tags: TagReplacer = field(default_factory=tag_replacer)
    num_flushes: int = 0  # asked for
    num_flushed: int = 0
    awaits_text: bool = True
    is_heard: bool = False


class Cartesia:
    """Implements Dialect."""

    ends_failed = True
    closes_failed = False

    def __init__(
        self,
        languages: Sequence[str],
        now: Callable[[], float] = time.monotonic,
        *,
        is_sdk: bool = False,
    ) -> None:
        """`languages`: those of the served model. `is_sdk`: the client is Cartesia's own SDK, which
        gives a context up at its error, and would give a `done` behind it to the next context.
        Pipecat keeps the context for 3 s, in which it plays no other, unless `done` follows."""
        self._languages = languages
        self._is_sdk = is_sdk
        self._now = now
        self._names: ContextNames[_Context] = ContextNames()
        self._failed = FailedIds()
        self._cancelled = FailedIds()  # whose text had not ended
        self._read_id = ""  # of the frame that is being read

    def read(self, frame: str) -> Iterator[Step]:
        self._read_id = ""
        body = parse_object(frame.encode("utf-8", "surrogatepass"), "the message")
        given = text_of(body, "context_id")
        vendor_id = self._read_id = str(uuid4()) if given is None else given
        if len(vendor_id) > MAX_ID_CHARS:
            message = f"context_id: at most {MAX_ID_CHARS} characters are allowed"
            raise BadRequest(message, param="context_id")
        try:
            if flag_of(body, "cancel"):
                yield from self._cancel(vendor_id)
            else:
                yield from self._generate(vendor_id, body)
        except BadRequest:
            yield from end_failed(
                self._names, self._failed, vendor_id, goes_on=body.get("continue") is True
            )
            raise

    def _cancel(self, vendor_id: str) -> Iterator[Step]:
        """The rest of the text may be on its way."""
        self._failed.discard(vendor_id)
        context: _Context | None = self._names.of_vendor(vendor_id)
        name = self._names.name_of(vendor_id)
        if context is None or name is None:
            return
        if context.awaits_text:
            self._cancelled.add(vendor_id)
        self._names.release(vendor_id)
        yield Cancel(type="cancel", context_id=name)

    def _generate(self, vendor_id: str, body: dict[str, object]) -> Iterator[Step]:
        text = text_of(body, "transcript") or ""
        goes_on = flag_of(body, "continue")
        if self._failed.has(vendor_id, is_last=not goes_on):
            if text.strip() and not goes_on:
                raise BadRequest(_LOST, param="transcript", code="context_failed")
            return
        is_new = bool(text.strip()) and not goes_on
        if self._cancelled.has(vendor_id, is_last=not goes_on) and not is_new:
            return
        context: _Context | None = self._names.of_vendor(vendor_id)
        if context is None:
            if not text.strip() and not goes_on:
                yield Reply(_frame(vendor_id, messages.done()))
                return
            context = yield from self._open(vendor_id, body, goes_on)
        elif not context.awaits_text and not text.strip():
            return  # the end of the text is told twice
        context.awaits_text = goes_on  # text behind the end is refused by the context itself
        name = self._names.name_of(vendor_id) or ""
        is_flush = flag_of(body, "flush")
        said = context.tags.push(text)
        if is_flush or not goes_on or context.has_whole_texts:
            said += context.tags.finish()
        if context.has_whole_texts and said and not said[-1].isspace():
            said += " "
        if said:
            yield Text(type="text", context_id=name, text=said)
        if is_flush:
            context.num_flushes += 1
            yield Flush(type="flush", context_id=name)
        if not goes_on:
            yield Close(type="close", context_id=name)

    def _open(
        self, vendor_id: str, body: dict[str, object], goes_on: bool
    ) -> Generator[Step, None, _Context]:
        opening = opening_of(body, "new", self._languages)
        has_whole_texts = opening.start.max_buffer_ms == 0
        context = _Context(opening, has_whole_texts, self._now(), awaits_text=goes_on)
        name = self._names.open(vendor_id, context)
        start = opening.start.model_copy(update={"context_id": name})
        yield Opening(start, opening.sound, opening.silence)
        return context

    def write(self, message: ServerMessage) -> Sequence[Frame]:
        found = self._names.find(message.context_id)
        if found is None:
            if message.error is not None and message.stream is None:
                told = self._failed_with(messages.error(message.error), self._read_id != "")
                return tuple(_frame(self._read_id, each) for each in told)
            return ()
        vendor_id, context = found
        told = self._told(vendor_id, context, message)
        return tuple(_frame(vendor_id, each) for each in told)

    def _told(
        self, vendor_id: str, context: _Context, message: ServerMessage
    ) -> Iterator[messages.Message]:
        match message.kind:
            case "audio":
                yield self._chunk(context, message.sound)
            case "words":
                if words := words_of(message):
                    yield messages.timestamps(as_sent(words))
            case "flushed":
                context.num_flushed += 1
                yield messages.flush_done(context.num_flushed)
            case "done":
                self._names.forget(message.context_id)
                if message.fields.get("finish_reason") == FinishReason.CANCELLED:
                    if context.awaits_text:
                        self._failed.add(vendor_id)
                    yield from self._failed_with(messages.cancelled_elsewhere())
                else:
                    yield from self._end(context, message)
            case "cancelled":
                self._names.forget(message.context_id)
                if self._names.name_of(vendor_id) is None:  # else it would end the next context
                    yield messages.done()
            case "error":
                self._names.forget(message.context_id)
                if context.awaits_text:
                    self._failed.add(vendor_id)
                yield from self._failed_with(messages.error(message.error or RuntimeError()))

    def _end(self, context: _Context, message: ServerMessage) -> Iterator[messages.Message]:
        if not context.is_heard:
            yield self._chunk(context, short_silence(context.opening))
        if (cut := cut_of(message)) is None:
            yield messages.done()
            return
        if silence := context.opening.silence * NUM_LOST:
            yield self._chunk(context, silence)
        yield from self._failed_with(messages.error(cut))

    def _failed_with(
        self, error: messages.Message, has_context: bool = True
    ) -> Iterator[messages.Message]:
        yield error
        if has_context and not self._is_sdk:
            yield messages.done()

    def _chunk(self, context: _Context, sound: bytes) -> messages.Message:
        context.is_heard = True
        last_s, context.last_s = context.last_s, self._now()
        flush_id = context.num_flushed + 1 if context.num_flushes else None
        return messages.chunk(sound, (context.last_s - last_s) * 1e3, flush_id)


def _frame(vendor_id: str, message: messages.Message) -> str:
    return json.dumps({**message, "context_id": vendor_id})
