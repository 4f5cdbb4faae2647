"""The messages that an ElevenLabs server sends over its sockets, and the lines over HTTP. Pure."""

from collections.abc import Sequence

from app.api.dialects.alignment import TimedChar
from app.api.errors import code_of, error_of, status_of
from app.api.events import base64_of

Message = dict[str, object]
CANCELLED = 499


def audio(sound: bytes, chars: Sequence[TimedChar]) -> Message:
    """Both alignments are the same: LiveKit reads `normalizedAlignment` alone, Pipecat `alignment`
    first."""
    told = _alignment(chars) if chars else None
    sent = {"audio": base64_of(sound), "isFinal": None}
    return {**sent, "normalizedAlignment": told, "alignment": told}


def _alignment(chars: Sequence[TimedChar]) -> Message:
    return {
        "chars": [each.char for each in chars],
        "charStartTimesMs": [each.start_ms for each in chars],
        "charDurationsMs": [each.end_ms - each.start_ms for each in chars],
    }


def final() -> Message:
    return {"isFinal": True}


def error(error: Exception) -> Message:
    message = str(error_of(error)["message"])
    return {"error": code_of(error), "message": message, "code": status_of(error)}


def cancelled_elsewhere() -> Message:
    """The context was stopped by another connection. Its speech is not whole."""
    message = "the speech was cancelled by another request"
    return {"error": "cancelled", "message": message, "code": CANCELLED}


def refusal(error: Exception) -> Message:
    """What ElevenLabs' clients read in the body of an HTTP error."""
    message = str(error_of(error)["message"])
    return {"detail": {"status": code_of(error), "message": message}}


def line(sound: bytes, chars: Sequence[TimedChar]) -> Message:
    """Of `/stream/with-timestamps`."""
    told: Message | None = None
    if chars:
        told = {
            "characters": [each.char for each in chars],
            "character_start_times_seconds": [each.start_ms / 1e3 for each in chars],
            "character_end_times_seconds": [each.end_ms / 1e3 for each in chars],
        }
    return {"audio_base64": base64_of(sound), "alignment": told, "normalized_alignment": told}
