"""The bodies that an answer with speech can have: a stream of audio, a stream of events, a file."""

from typing import Protocol

from app.api.encoding import SpeechEncoder
from app.api.errors import error_of
from app.api.events import base64_of, event_of, timing_of, usage_of
from app.api.speech_job import SpeechJob
from app.core import AudioChunk, FinishReason

EVENT_STREAM = "text/event-stream"


class StreamBroken(Exception):
    """Raised after the headers. The server then breaks the body off, which the client can see.
    `told` are the bytes that are sent before."""

    def __init__(self, message: str, told: bytes = b"") -> None:
        super().__init__(message)
        self.told = told


class Body(Protocol):
    """Turns chunks into bytes of a body. An answer without any bytes is a 204."""

    @property
    def content_type(self) -> str: ...

    async def feed(self, chunk: AudioChunk) -> bytes: ...

    async def end(self, last: AudioChunk) -> bytes:
        """The last bytes. `last` has the finish and the marks of the session."""

    def broken(self, error: Exception) -> bytes:
        """What is told of an error before the body breaks off. A client may take a body with a
        clean end for the whole speech, whatever its last event is."""


class RawAudio:
    def __init__(self, job: SpeechJob) -> None:
        self.content_type = job.options.format.content_type
        self._encoder = SpeechEncoder(job.options)

    async def feed(self, chunk: AudioChunk) -> bytes:
        return await self._encoder.feed(chunk.pcm)

    async def end(self, last: AudioChunk) -> bytes:
        return await self._encoder.feed(last.pcm) + await self._encoder.finish()

    def broken(self, error: Exception) -> bytes:
        return b""


class WholeFile:
    """One file with its true length. A cancelled session has no file: its answer is a 204."""

    def __init__(self, job: SpeechJob) -> None:
        self.content_type = job.options.format.content_type
        self._encoder = SpeechEncoder(job.options)
        self._parts: list[bytes] = []

    async def feed(self, chunk: AudioChunk) -> bytes:
        self._parts.append(await self._encoder.feed(chunk.pcm))
        return b""

    async def end(self, last: AudioChunk) -> bytes:
        if last.finish is FinishReason.CANCELLED:
            return b""
        await self.feed(last)
        self._parts.append(await self._encoder.finish())
        return self._encoder.seal(b"".join(self._parts))

    def broken(self, error: Exception) -> bytes:
        raise error  # not called: no byte is sent before the end


class ServerSentEvents:
    """OpenAI's events, and `speech.audio.error`."""

    content_type = EVENT_STREAM

    def __init__(self, job: SpeechJob) -> None:
        self._text = job.text
        self._encoder = SpeechEncoder(job.options)
        self._is_heard = False

    async def feed(self, chunk: AudioChunk) -> bytes:
        return self._delta(await self._encoder.feed(chunk.pcm))

    async def end(self, last: AudioChunk) -> bytes:
        tail = await self.feed(last) + self._delta(await self._encoder.finish())
        if not self._is_heard:  # cancelled before the first sound
            return b""
        return tail + event_of(
            "speech.audio.done",
            usage=usage_of(self._text.num_chars, last.num_tokens),
            dropped_characters=self._text.num_dropped_chars,
            timing=timing_of(last.marks, self._encoder.audio_s),
            finish_reason=last.finish,
        )

    def broken(self, error: Exception) -> bytes:
        return event_of("speech.audio.error", error=error_of(error))

    def _delta(self, encoded: bytes) -> bytes:
        if not encoded:
            return b""
        self._is_heard = True
        return event_of("speech.audio.delta", audio=base64_of(encoded))
