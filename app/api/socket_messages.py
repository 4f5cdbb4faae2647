"""The messages that a client sends on a speech socket. docs/websocket.md describes them."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from app.api.json_body import parse_object
from app.api.speech_request import PlayedMs, StreamOptionFields, VoiceField, parse
from app.errors import BadRequest

ContextId = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,64}$")]

MAX_BUFFER_MS = 3000


class _Message(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class Start(StreamOptionFields):
    """Open a context. The model has a default for every field that is left out."""

    type: Literal["start"]
    context_id: ContextId
    voice: VoiceField
    model: str | None = None
    audio: Literal["base64", "binary"] | None = None
    max_buffer_ms: int | None = Field(
        None, ge=0, le=60_000, description="how long text may wait for the end of its sentence"
    )


class Text(_Message):
    type: Literal["text"]
    context_id: ContextId
    text: str


class Flush(_Message):
    """Speak all text that has come, and say when its sound has been sent."""

    type: Literal["flush"]
    context_id: ContextId


class Cancel(_Message):
    type: Literal["cancel"]
    context_id: ContextId
    played_ms: PlayedMs = None


class Close(_Message):
    """No more text comes for the context. Without a context: for all of them, and the socket
    closes after them."""

    type: Literal["close"]
    context_id: ContextId | None = None


ClientMessage = Start | Text | Flush | Cancel | Close

_KINDS: dict[str, type[ClientMessage]] = {
    "start": Start,
    "text": Text,
    "flush": Flush,
    "cancel": Cancel,
    "close": Close,
}


def read_message(frame: str) -> ClientMessage:
    """Raises BadRequest, which names the wrong field."""
    body = parse_object(frame.encode("utf-8", "surrogatepass"), "the message")
    kind = body.get("type")
    if not isinstance(kind, str) or kind not in _KINDS:
        raise BadRequest(f"type: the value must be one of {', '.join(_KINDS)}", param="type")
    return parse(_KINDS[kind], body)
