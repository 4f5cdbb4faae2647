"""The items that a reply adds to the conversation: its message, and its calls of functions.

Each tells its events in OpenAI's order. Knows nothing about sound.
"""

from collections.abc import Iterator

from app.api.realtime.ids import new_id
from app.api.realtime.item_fields import told
from app.api.realtime.outbox import EventOutbox
from app.api.realtime.spoken_item import Place
from app.conversation.items import Conversation, FunctionCall, Item, Message, Part, Status
from app.conversation.language_model import CallPiece
from app.errors import LanguageModelFailed

MAX_CALLS = 64


class TextItem:
    """The message of a reply, which `SpokenItem` speaks beside this, or which is only written."""

    def __init__(
        self, place: Place, conversation: Conversation, outbox: EventOutbox, *, is_spoken: bool
    ) -> None:
        self.place = place
        self.text = ""
        self._conversation = conversation
        self._outbox = outbox
        self._is_spoken = is_spoken

    def open(self) -> None:
        item = Message(self.place.item_id, "assistant", (), "in_progress")
        _added(item, self.place, self._conversation, self._outbox)
        part = self._told_part("")
        self._outbox.post("response.content_part.added", **self.place.fields, part=part)

    def write(self, text: str) -> None:
        self.text += text
        self._outbox.post("response.output_text.delta", **self.place.fields, delta=text)

    def finish(self, text: str, is_whole: bool) -> Item:
        """`text`: what the conversation keeps."""
        fields, outbox = self.place.fields, self._outbox
        if self._is_spoken:
            outbox.post("response.output_audio.done", **fields)
            outbox.post("response.output_audio_transcript.done", **fields, transcript=text)
        else:
            outbox.post("response.output_text.done", **fields, text=text)
        outbox.post("response.content_part.done", **fields, part=self._told_part(text))
        parts = (Part(text, self._is_spoken),)
        status: Status = "completed" if is_whole else "incomplete"
        item = Message(self.place.item_id, "assistant", parts, status)
        _done(item, self.place, self._conversation, outbox)
        return item

    def _told_part(self, text: str) -> dict[str, str]:
        if self._is_spoken:
            return {"type": "audio", "transcript": text}
        return {"type": "text", "text": text}


class CallItems:
    """The calls of one reply, which come in parts and one after the other."""

    def __init__(self, response_id: str, conversation: Conversation, outbox: EventOutbox) -> None:
        self._response_id = response_id
        self._conversation = conversation
        self._outbox = outbox
        self._calls: dict[int, tuple[Place, FunctionCall]] = {}  # by the model's own index

    @property
    def num(self) -> int:
        return len(self._calls)

    def take(self, piece: CallPiece, output_index: int) -> None:
        """`output_index`: of the first call. Raises LanguageModelFailed for a call without a name,
        and for too many."""
        if piece.index not in self._calls:
            self._open(piece, output_index + self.num)
        place, call = self._calls[piece.index]
        if piece.arguments:
            arguments = call.arguments + piece.arguments
            call = FunctionCall(call.id, call.call_id, call.name, arguments, call.status)
            self._calls[piece.index] = place, call
            kind = "response.function_call_arguments.delta"
            self._outbox.post(kind, **_fields(place, call), delta=piece.arguments)

    def finish(self, *, is_whole: bool) -> Iterator[tuple[int, Item]]:
        """The calls with their places in the output. A call that is not whole is not to be
        made."""
        for place, open_call in self._calls.values():
            status: Status = "completed" if is_whole else "incomplete"
            arguments = open_call.arguments or "{}"
            call = FunctionCall(open_call.id, open_call.call_id, open_call.name, arguments, status)
            if is_whole:
                kind = "response.function_call_arguments.done"
                named = {"arguments": arguments, "name": call.name}
                self._outbox.post(kind, **_fields(place, call), **named)
            _done(call, place, self._conversation, self._outbox)
            yield place.output_index, call

    def _open(self, piece: CallPiece, output_index: int) -> None:
        if not piece.name or len(self._calls) >= MAX_CALLS:
            message = "the language model failed: a call has no name, or there are too many calls"
            raise LanguageModelFailed(message, code="llm_invalid")
        place = Place(self._response_id, new_id("item"), output_index)
        call_id = piece.call_id or new_id("call")
        call = FunctionCall(place.item_id, call_id, piece.name, "", "in_progress")
        self._calls[piece.index] = place, call
        _added(call, place, self._conversation, self._outbox)


def _fields(place: Place, call: FunctionCall) -> dict[str, object]:
    fields = {name: value for name, value in place.fields.items() if name != "content_index"}
    return {**fields, "call_id": call.call_id}


def _added(item: Item, place: Place, conversation: Conversation, outbox: EventOutbox) -> None:
    before = conversation.add(item)
    _post_output("response.output_item.added", item, place, outbox)
    outbox.post("conversation.item.added", previous_item_id=before, item=told(item))


def _done(item: Item, place: Place, conversation: Conversation, outbox: EventOutbox) -> None:
    conversation.replace(item)
    before = conversation.before(item.id)
    outbox.post("conversation.item.done", previous_item_id=before, item=told(item))
    _post_output("response.output_item.done", item, place, outbox)


def _post_output(kind: str, item: Item, place: Place, outbox: EventOutbox) -> None:
    fields = {"response_id": place.response_id, "output_index": place.output_index}
    outbox.post(kind, **fields, item=told(item))
