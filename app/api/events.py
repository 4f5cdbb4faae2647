"""What the events of HTTP streams and the messages of sockets have in common."""

import base64
import json
from collections.abc import Sequence
from dataclasses import asdict

from app.core import Marks
from app.sessions.timeline import first_audio_legs
from app.spoken_words import SpokenWord


def event_of(kind: str, **fields: object) -> bytes:
    """One server-sent event."""
    return b"data: " + json.dumps({"type": kind, **fields}).encode() + b"\n\n"


def base64_of(content: bytes) -> str:
    return base64.b64encode(content).decode("ascii")


def usage_of(num_chars: int, num_tokens: int) -> dict[str, int]:
    """Input tokens are characters of the normalised text, because nothing here tokenises text.
    Output tokens are speech tokens."""
    return {
        "input_tokens": num_chars,
        "output_tokens": num_tokens,
        "total_tokens": num_chars + num_tokens,
    }


def words_of(words: Sequence[SpokenWord]) -> dict[str, object]:
    """The fields of an event with words. A word that comes again has better times."""
    is_estimate = any(word.is_estimate for word in words)
    return {"words": [asdict(word) for word in words], "estimated": is_estimate}


def timing_of(marks: Marks, audio_s: float) -> dict[str, float]:
    """Legs of the session report under the names of the events, and the sound as it is heard. Legs
    are 0 where there was no sound."""
    legs = first_audio_legs(marks)
    return {
        "first_audio_ms": legs.get("first_audio", 0.0),
        "total_ms": legs.get("whole", 0.0),
        "audio_ms": round(audio_s * 1e3, 3),
    }
