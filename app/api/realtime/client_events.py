"""The events that a client sends. Their shapes are OpenAI's; `playback.ack` is ours. Pure."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from app.api.json_body import parse_object
from app.api.realtime.plain_values import is_unicode, require_plain
from app.api.realtime.session_fields import (
    MAX_INSTRUCTIONS_CHARS,
    MAX_TOOLS,
    Choice,
    FunctionTool,
    MaxTokens,
    Modalities,
    checked,
)
from app.errors import BadRequest

ItemId = Annotated[str, Field(min_length=1, max_length=64)]
MAX_METADATA = 16


class _Event(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)

    event_id: str | None = Field(None, max_length=512)


class SessionUpdate(_Event):
    session: dict[str, Any]


class Append(_Event):
    audio: str


class Commit(_Event):
    """No more sound comes for this utterance."""


class Clear(_Event):
    """Forget the sound that is not committed."""


class ItemFields(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)

    id: ItemId | None = None
    type: Literal["message", "function_call", "function_call_output", "item_reference"]
    role: Literal["system", "user", "assistant", "developer"] | None = None
    content: list[dict[str, Any]] | None = None
    call_id: str | None = Field(None, max_length=64)
    name: str | None = Field(None, max_length=64)
    arguments: str | None = None
    output: str | None = None


class ItemCreate(_Event):
    item: ItemFields
    previous_item_id: ItemId | None = None


class ItemDelete(_Event):
    item_id: ItemId


class ItemRetrieve(_Event):
    item_id: ItemId


class ItemTruncate(_Event):
    item_id: ItemId
    content_index: int = Field(0, ge=0)
    audio_end_ms: float = Field(ge=0, le=1e9, allow_inf_nan=False)


class PlaybackAck(_Event):
    """The listener's clock: how much of the item's sound the player has played."""

    item_id: ItemId
    played_ms: float = Field(ge=0, le=1e9, allow_inf_nan=False)


class ResponseFields(BaseModel):
    """What holds for one response instead of the session's fields."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    instructions: str | None = Field(None, max_length=MAX_INSTRUCTIONS_CHARS)
    output_modalities: Modalities | None = None
    tools: tuple[FunctionTool, ...] | None = Field(None, max_length=MAX_TOOLS)
    tool_choice: Choice | None = None
    max_output_tokens: MaxTokens = None
    metadata: dict[str, str] | None = Field(None, max_length=MAX_METADATA)
    conversation: Literal["auto", "none"] = "auto"
    input: list[ItemFields] | None = None


class ResponseCreate(_Event):
    response: ResponseFields | None = None


class ResponseCancel(_Event):
    response_id: str | None = None


ClientEvent = (
    SessionUpdate
    | Append
    | Commit
    | Clear
    | ItemCreate
    | ItemDelete
    | ItemRetrieve
    | ItemTruncate
    | PlaybackAck
    | ResponseCreate
    | ResponseCancel
)

_KINDS: dict[str, type[ClientEvent]] = {
    "session.update": SessionUpdate,
    "input_audio_buffer.append": Append,
    "input_audio_buffer.commit": Commit,
    "input_audio_buffer.clear": Clear,
    "conversation.item.create": ItemCreate,
    "conversation.item.delete": ItemDelete,
    "conversation.item.retrieve": ItemRetrieve,
    "conversation.item.truncate": ItemTruncate,
    "playback.ack": PlaybackAck,
    "response.create": ResponseCreate,
    "response.cancel": ResponseCancel,
}


def read_event(frame: str) -> dict[str, object]:
    """The object of a frame. Raises BadRequest."""
    return parse_object(frame.encode("utf-8", "surrogatepass"), "the event")


def event_id_of(body: dict[str, object]) -> str | None:
    """Which a refusal repeats. None: the client gave none that can be repeated."""
    given = body.get("event_id")
    return given[:512] if isinstance(given, str) and is_unicode(given) else None


def event_of(body: dict[str, object]) -> ClientEvent:
    """Raises BadRequest, which names the wrong field."""
    require_plain(body)
    kind = body.get("type")
    if not isinstance(kind, str) or kind not in _KINDS:
        raise BadRequest(f"type: the value must be one of {', '.join(_KINDS)}", param="type")
    return checked(_KINDS[kind], body, "")
