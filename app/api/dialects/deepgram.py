"""Deepgram's socket, `/v1/speak`: its frames and the one context of our own socket that speaks.

A message brings as little as one word. `Flush` ends a turn, and is answered with `Flushed` behind
the turn's last sound: agent frameworks take it for the end. `Clear` stops the speech, and nothing
of it follows `Cleared`. `Close` stops it too, and closes the socket. Pure.
"""

import json
from collections.abc import Iterator, Sequence

from app.api.dialects.cut_speech import cut_of
from app.api.dialects.dialect import Frame, Opening, Reply, ServerMessage, Step
from app.api.dialects.one_context import OneContext
from app.api.errors import code_of, error_of
from app.api.socket_messages import Close
from app.core import FinishReason
from app.errors import BadRequest

_KINDS = ("Speak", "Flush", "Clear", "Close")
_CANCELLED = "the speech was cancelled by another request"


class Deepgram:
    """Implements Dialect."""

    ends_failed = True
    closes_failed = False

    def __init__(self, opening: Opening) -> None:
        self._context = OneContext(opening)
        self._num_answers = 0  # with a `sequence_id`
        self._kind = ""  # of the frame that is being read

    def read(self, frame: str) -> Iterator[Step]:
        self._kind = "Speak" if self._context.is_in_text else ""  # of a frame that is no message
        body = yield from self._context.body_of(frame)
        self._kind = ""
        kind = body.get("type")
        if kind not in _KINDS:
            raise BadRequest(f"type: the value must be one of {', '.join(_KINDS)}", param="type")
        self._kind = str(kind)
        match kind:
            case "Speak":
                yield from self._context.say_of(body)
            case "Flush":
                yield from self._flush()
            case "Clear":
                yield from self._context.clear()
                yield Reply(self._answer("Cleared"))
            case "Close":
                yield from self._context.clear()
                yield Close(type="close")

    def _flush(self) -> Iterator[Step]:
        """A turn that has failed has no end: its client would take the end for a success."""
        is_failed = self._context.is_failed
        yield from self._context.flush()
        if not self._context.is_open and not is_failed:
            yield Reply(self._answer("Flushed"))

    def write(self, message: ServerMessage) -> Sequence[Frame]:
        if message.stream is None and message.error is not None:
            self._context.refused(message)
            return (self._refusal(message.error),)
        return tuple(self._told(message)) if self._context.has(message) else ()

    def _told(self, message: ServerMessage) -> Iterator[Frame]:
        match message.kind:
            case "audio":
                self._context.heard()
                yield message.sound
            case "flushed":
                yield from self._flushed(message)
            case "error":
                self._context.failed()
                yield error_frame(message.error or RuntimeError())
            case "done" if message.fields.get("finish_reason") == FinishReason.CANCELLED:
                self._context.failed()
                yield _error("cancelled", _CANCELLED)

    def _flushed(self, message: ServerMessage) -> Iterator[Frame]:
        try:
            silence = self._context.flushed(message)
        except BadRequest as error:
            yield error_frame(error)
            return
        if silence:
            yield silence
        if (cut := cut_of(message)) is not None:
            yield _warning(cut)
        yield self._answer("Flushed")

    def _refusal(self, error: Exception) -> str:
        """Of a frame. A text that is lost is an error: LiveKit and Pipecat only log a warning."""
        if self._kind == "Speak":
            return error_frame(error)
        return _warning(error)

    def _answer(self, kind: str) -> str:
        number = self._num_answers
        self._num_answers += 1
        return json.dumps({"type": kind, "sequence_id": number})


def metadata(request_id: str, model: str, voice: str) -> str:
    """The first message of a socket."""
    named = {"model_name": voice, "model_version": model, "model_uuid": request_id}
    return json.dumps({"type": "Metadata", "request_id": request_id, **named})


def _warning(error: Exception) -> str:
    message = str(error_of(error)["message"])
    named = {"description": message, "warn_msg": message, "code": code_of(error)}
    return json.dumps({"type": "Warning", **named})


def error_frame(error: Exception) -> str:
    return _error(code_of(error), str(error_of(error)["message"]))


def refusal(error: Exception) -> dict[str, object]:
    """What Deepgram's clients read in the body of an HTTP error."""
    return {"err_code": code_of(error), "err_msg": str(error_of(error)["message"])}


def _error(code: str, message: str) -> str:
    told = {"err_code": code, "err_msg": message}
    return json.dumps({"type": "Error", "description": message, "code": code, **told})
