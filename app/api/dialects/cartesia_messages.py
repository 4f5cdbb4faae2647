"""The messages that a Cartesia server sends, over its socket and as server-sent events. Pure."""

from collections.abc import Sequence

from app.api.dialects.words import TimedWord
from app.api.errors import code_of, error_of, status_of
from app.api.events import base64_of

PARTIAL, OK, CANCELLED = 206, 200, 499  # `status_code`

Message = dict[str, object]


def chunk(sound: bytes, step_ms: float, flush_id: int | None = None) -> Message:
    """`step_ms`: the time since the message before it."""
    message: Message = {"type": "chunk", "data": base64_of(sound), "done": False}
    message |= {"status_code": PARTIAL, "step_time": round(step_ms, 3)}
    return message if flush_id is None else message | {"flush_id": flush_id}


def timestamps(words: Sequence[TimedWord]) -> Message:
    """In the sent spelling, and in seconds from the start of the context."""
    told = {
        "words": [word.text for word in words],
        "start": [round(word.start_ms / 1e3, 4) for word in words],
        "end": [round(word.end_ms / 1e3, 4) for word in words],
    }
    status = {"done": False, "status_code": PARTIAL}
    return {"type": "timestamps", "word_timestamps": told, **status}


def flush_done(flush_id: int) -> Message:
    told = {"flush_done": True, "flush_id": flush_id}
    return {"type": "flush_done", "done": False, "status_code": PARTIAL, **told}


def done() -> Message:
    return {"type": "done", "done": True, "status_code": OK}


def error(error: Exception) -> Message:
    """`done` is false, because LiveKit takes an error that is done for a success."""
    status = status_of(error)
    return _error(status, code_of(error), str(error_of(error)["message"]))


def refusal(error: Exception) -> Message:
    """What Cartesia's clients read in the body of an HTTP error."""
    told = _error(status_of(error), code_of(error), str(error_of(error)["message"]))
    return {name: told[name] for name in ("title", "message", "error_code", "status_code")}


def cancelled_elsewhere() -> Message:
    """The context was stopped by another connection. Its speech is not whole."""
    return _error(CANCELLED, "cancelled", "the speech was cancelled by another request")


def _error(status: int, code: str, message: str) -> Message:
    title = code.replace("_", " ").capitalize()
    told = {"title": title, "message": message, "error_code": code}
    return {"type": "error", "done": False, "status_code": status, **told}
