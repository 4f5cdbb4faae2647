"""Items of the conversation in OpenAI's shape, both ways. Pure."""

from typing import Any

from app.api.realtime.client_events import ItemFields
from app.api.realtime.ids import new_id
from app.conversation.items import FunctionCall, FunctionOutput, Item, Message, Part
from app.errors import BadRequest

Json = dict[str, Any]
_TEXTS = ("input_text", "output_text", "text")
_SOUNDS = ("input_audio", "output_audio", "audio")


def item_of(given: ItemFields) -> Item:
    """Raises BadRequest for an item that the conversation cannot hold."""
    item_id = given.id or new_id("item")
    match given.type:
        case "message":
            return _message(given, item_id)
        case "function_call":
            call_id, name = _needed(given.call_id, "call_id"), _needed(given.name, "name")
            return FunctionCall(item_id, call_id, name, given.arguments or "")
        case "function_call_output":
            call_id = _needed(given.call_id, "call_id")
            return FunctionOutput(item_id, call_id, given.output or "")
    raise BadRequest("item.type: a reference is no item", param="item.type")


def _message(given: ItemFields, item_id: str) -> Message:
    role = _needed(given.role, "role")
    parts = tuple(_part(part) for part in given.content or ())
    if role == "developer":
        role = "system"
    return Message(item_id, role, parts)  # type: ignore[arg-type]


def _part(given: Json) -> Part:
    kind = given.get("type")
    if kind in _TEXTS:
        text = given.get("text")
    elif kind in _SOUNDS:  # what is heard by the model is the transcript
        text = given.get("transcript")
    else:
        message = f"item.content: a part of the type {str(kind)[:64]!r} is not understood"
        raise BadRequest(message, param="item.content", code="unsupported_content")
    if text is not None and not isinstance(text, str):
        raise BadRequest("item.content: the text of a part must be a text", param="item.content")
    if kind in _SOUNDS and not text:
        message = "item.content: sound is heard from input_audio_buffer.append alone; a part with "
        message += "sound needs its transcript"
        raise BadRequest(message, param="item.content", code="unsupported_content")
    return Part(text, kind in _SOUNDS)


def _needed(value: str | None, field: str) -> str:
    if not value:
        raise BadRequest(f"item.{field}: the value is missing", param=f"item.{field}")
    return value


def told(item: Item) -> Json:
    """The item in an event."""
    common: Json = {"id": item.id, "object": "realtime.item", "status": item.status}
    match item:
        case Message():
            content = [_told_part(part, item.role) for part in item.parts]
            return {**common, "type": "message", "role": item.role, "content": content}
        case FunctionCall():
            named = {"call_id": item.call_id, "name": item.name, "arguments": item.arguments}
            return {**common, "type": "function_call", **named}
        case FunctionOutput():
            named = {"call_id": item.call_id, "output": item.output}
            return {**common, "type": "function_call_output", **named}


def _told_part(part: Part, role: str) -> Json:
    side = "output" if role == "assistant" else "input"
    if part.is_audio:
        return {"type": f"{side}_audio", "transcript": part.text}
    return {"type": f"{side}_text", "text": part.text or ""}
