"""jambonz's custom text-to-speech over a socket: its frames and the one context that speaks.

`stream` brings text, and `flush` has it spoken. `stop` stops the speech and closes the socket, and
`clear` stops the speech alone. The sound is binary: 16 bit samples at the rate that `connect` says.
Some versions name a control message by `command` instead of `type`. Pure.
"""

import json
from collections.abc import Iterator, Sequence

from app.api.dialects.cut_speech import cut_of
from app.api.dialects.dialect import Frame, KeepAlive, Opening, ServerMessage, Step
from app.api.dialects.one_context import OneContext
from app.api.errors import error_of
from app.api.socket_messages import Close
from app.core import FinishReason
from app.errors import BadRequest

_KINDS = ("stream", "flush", "clear", "stop", "keepalive")


class Jambonz:
    """Implements Dialect."""

    ends_failed = True
    closes_failed = False

    def __init__(self, opening: Opening) -> None:
        self._context = OneContext(opening)

    def read(self, frame: str) -> Iterator[Step]:
        body = yield from self._context.body_of(frame)
        kind = body.get("type", body.get("command"))
        if kind not in _KINDS:
            raise BadRequest(f"type: the value must be one of {', '.join(_KINDS)}", param="type")
        match kind:
            case "stream":
                yield from self._context.say_of(body)
            case "flush":
                yield from self._context.flush()
            case "clear":
                yield from self._context.clear()
            case "keepalive":
                yield KeepAlive()
            case "stop":
                yield from self._context.clear()
                yield Close(type="close")

    def write(self, message: ServerMessage) -> Sequence[Frame]:
        if message.error is not None and message.stream is None:
            self._context.refused(message)
            return (error_frame(message.error),)
        return tuple(self._told(message)) if self._context.has(message) else ()

    def _told(self, message: ServerMessage) -> Iterator[Frame]:
        match message.kind:
            case "audio":
                self._context.heard()
                yield message.sound
            case "flushed":
                try:
                    self._context.flushed(message)
                except BadRequest as error:
                    yield error_frame(error)
                if (cut := cut_of(message)) is not None:
                    yield error_frame(cut)
            case "error":
                self._context.failed()
                yield error_frame(message.error or RuntimeError())
            case "done" if message.fields.get("finish_reason") == FinishReason.CANCELLED:
                self._context.failed()
                yield _error("the speech was cancelled by another request")


def connected(sample_rate: int) -> str:
    """The first message of a socket."""
    sound = {"sample_rate": sample_rate, "base64_encoding": False}
    return json.dumps({"type": "connect", "data": sound})


def error_frame(error: Exception) -> str:
    return _error(str(error_of(error)["message"]))


def _error(message: str) -> str:
    return json.dumps({"type": "error", "error": message})
