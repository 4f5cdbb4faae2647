"""How a client of each socket protocol speaks one text in one context, stops it and leaves.

Sound is 16-bit at 24 kHz. Knows nothing about connections or clocks.
"""

import base64
import json
from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple, Protocol, get_args
from urllib.parse import quote

from app.client.socket_speech import PATH, STREAM_BYTES
from app.core import SAMPLE_RATE

SocketVia = Literal["websocket", "cartesia", "elevenlabs", "deepgram"]
Via = Literal["http", SocketVia]
VIAS: tuple[Via, ...] = get_args(Via)
CONTEXT = "turn"
CUT = "speech_cut"  # told before the end; our own protocol tells it with the end, as `length`


class Read(NamedTuple):
    """What a frame of the server says. `is_over`: the context has ended, by itself or because it
    was stopped. `is_answer`: it answers a stop."""

    sound: bytes = b""
    is_over: bool = False
    is_answer: bool = False
    state: str | None = None  # of a stop
    prebuffer_ms: float | None = None
    error: str | None = None  # a code


class SpokenSocket(Protocol):
    def path(self, voice: str) -> str: ...

    def opening(self, voice: str, text: str, fields: Mapping[str, object]) -> Sequence[str]:
        """The frames that speak a text. `fields`: more of our own protocol's `start`; the others
        have none of them."""

    @property
    def stop(self) -> str: ...

    @property
    def leave(self) -> str | None:
        """The server then closes the socket. None: the client closes it."""

    def read(self, frame: str | bytes) -> Read: ...


class Own:
    stop = json.dumps({"type": "cancel", "context_id": CONTEXT})
    leave = json.dumps({"type": "close"})

    def path(self, voice: str) -> str:
        return PATH

    def opening(self, voice: str, text: str, fields: Mapping[str, object]) -> Sequence[str]:
        begun = {"type": "start", "voice": voice, **fields, "audio": "binary"}
        frames: tuple[dict[str, Any], ...]
        frames = begun, {"type": "text", "text": text}, {"type": "close"}
        return [json.dumps({**frame, "context_id": CONTEXT}) for frame in frames]

    def read(self, frame: str | bytes) -> Read:
        if isinstance(frame, bytes):
            return Read(frame[STREAM_BYTES:])
        message = json.loads(frame)
        kind, told_ms = message["type"], message.get("prebuffer_ms")
        error = message["error"]["code"] if kind == "error" else None
        if kind == "done" and message["finish_reason"] not in ("stop", "length"):
            error = f"the server reports the finish {message['finish_reason']}"
        is_answer = kind == "cancelled"
        is_over = is_answer or kind in ("done", "error")
        return Read(b"", is_over, is_answer, message.get("state"), told_ms, error)


class Cartesia:
    stop = json.dumps({"context_id": CONTEXT, "cancel": True})
    leave = None

    def path(self, voice: str) -> str:
        return "/tts/websocket"

    def opening(self, voice: str, text: str, fields: Mapping[str, object]) -> Sequence[str]:
        sound = {"container": "raw", "encoding": "pcm_s16le", "sample_rate": SAMPLE_RATE}
        generation: dict[str, Any] = {"transcript": text, "voice": {"mode": "id", "id": voice}}
        generation |= {"context_id": CONTEXT, "continue": False, "output_format": sound}
        return [json.dumps(generation)]

    def read(self, frame: str | bytes) -> Read:
        message = json.loads(frame)
        if message["type"] == "error" and message["error_code"] != CUT:
            return Read(is_over=True, error=message["error_code"])
        is_over = message["type"] == "done"
        return Read(_sound(message.get("data")), is_over, is_over)


class ElevenLabs:
    """A stop is the second `close_context`; the server says nothing to it."""

    stop = json.dumps({"context_id": CONTEXT, "close_context": True})
    leave = json.dumps({"close_socket": True})

    def path(self, voice: str) -> str:
        query = f"output_format=pcm_{SAMPLE_RATE}&auto_mode=true"
        return f"/v1/text-to-speech/{quote(voice, safe='')}/multi-stream-input?{query}"

    def opening(self, voice: str, text: str, fields: Mapping[str, object]) -> Sequence[str]:
        frames: tuple[dict[str, Any], ...] = {"text": " "}, {"text": text}, {"close_context": True}
        return [json.dumps({**frame, "context_id": CONTEXT}) for frame in frames]

    def read(self, frame: str | bytes) -> Read:
        message = json.loads(frame)
        if message.get("error", CUT) != CUT:
            return Read(is_over=True, error=message["error"])
        return Read(_sound(message.get("audio")), message.get("isFinal") is True)


class Deepgram:
    stop = json.dumps({"type": "Clear"})
    leave = json.dumps({"type": "Close"})

    def path(self, voice: str) -> str:
        query = f"encoding=linear16&sample_rate={SAMPLE_RATE}&model={quote(voice, safe='')}"
        return f"/v1/speak?{query}"

    def opening(self, voice: str, text: str, fields: Mapping[str, object]) -> Sequence[str]:
        return [json.dumps({"type": "Speak", "text": text}), json.dumps({"type": "Flush"})]

    def read(self, frame: str | bytes) -> Read:
        if isinstance(frame, bytes):
            return Read(frame)
        message = json.loads(frame)
        kind = message["type"]
        error = message.get("code", "error") if kind == "Error" else None
        is_over = kind in ("Flushed", "Cleared", "Error")
        return Read(b"", is_over, kind == "Cleared", error=error)


SOCKETS: Mapping[str, SpokenSocket] = {
    "websocket": Own(),
    "cartesia": Cartesia(),
    "elevenlabs": ElevenLabs(),
    "deepgram": Deepgram(),
}


def _sound(encoded: str | None) -> bytes:
    return b"" if not encoded else base64.b64decode(encoded)
