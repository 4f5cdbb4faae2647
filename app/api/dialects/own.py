"""Our own protocol, which docs/websocket.md describes: the dialect without a translation."""

import json
import struct
from collections.abc import Iterator, Sequence

from app.api.dialects.dialect import Frame, Opening, ServerMessage, Step
from app.api.errors import error_of
from app.api.events import base64_of
from app.api.socket_messages import Start, read_message


class OwnProtocol:
    """Implements Dialect."""

    ends_failed = False  # the client may send the text again, later or shorter
    closes_failed = False

    def read(self, frame: str) -> Iterator[Step]:
        message = read_message(frame)
        if isinstance(message, Start):
            yield Opening(message, words_once=False, fills_gaps=False)
        else:
            yield message

    def write(self, message: ServerMessage) -> Sequence[Frame]:
        if message.kind != "audio":
            return (_json(message),)
        if not message.is_binary:
            return (_json(message, audio=base64_of(message.sound)),)
        binary = struct.pack(">I", message.stream) + message.sound
        if not message.fields:
            return (binary,)
        return _json(message, audio=""), binary  # a binary frame has no fields


def _json(message: ServerMessage, **more: object) -> str:
    """The id of a context may be used again; the number of the stream is unique."""
    told: dict[str, object] = {"type": message.kind, "context_id": message.context_id}
    if message.stream is not None or message.kind == "cancelled":
        told["stream"] = message.stream
    if message.error is not None:
        told["error"] = error_of(message.error)
    return json.dumps(told | more | dict(message.fields))
