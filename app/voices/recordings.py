"""Uploaded recordings are decoded and checked in another process. Knows nothing about voices."""

import asyncio
from dataclasses import dataclass

from app.errors import BadRequest
from app.voices.decoder import Purpose, decode
from app.voices.speech_activity import Heard, parse_heard
from app.voices.unusable_sound import UnusableSound

MAX_BYTES = 10 * 1024 * 1024
MAX_PROCESSES = 2


@dataclass(frozen=True, slots=True)
class Recording:
    """From its first to its last word."""

    flac: bytes  # mono, 24 kHz, 16 bit
    seconds: float
    heard: Heard


class RecordingReader:
    def __init__(self) -> None:
        self._places = asyncio.Semaphore(MAX_PROCESSES)

    async def read(self, content: bytes, param: str) -> Recording:
        """Raises BadRequest with the problem. `param` is the request's field with the file."""
        try:
            async with self._places:
                decoded = await decode(content, Purpose.UPLOAD)
        except UnusableSound as error:
            message = f"{param}: the recording {error}"
            raise BadRequest(message, param=param, code="invalid_audio") from error
        told = decoded.told
        return Recording(decoded.sound, told["seconds"], parse_heard(told["heard"]))
