"""The bodies that an answer with speech can have: a stream of audio, a stream of events, a file."""

from typing import Protocol

from app.api.encoding import SpeechEncoder
from app.api.errors import error_of
from app.api.events import base64_of, event_of, timing_of, usage_of, words_of
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

    async def fill(self) -> bytes:
        """Silence, where sound is late."""

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

    async def fill(self) -> bytes:
        return await self._encoder.fill()

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
        job.words.as_file()

    async def feed(self, chunk: AudioChunk) -> bytes:
        self._parts.append(await self._encoder.feed(chunk.pcm))
        return b""

    async def fill(self) -> bytes:
        return b""  # no byte is sent before the end

    async def end(self, last: AudioChunk) -> bytes:
        if last.finish is FinishReason.CANCELLED:
            return b""
        await self.feed(last)
        self._parts.append(await self._encoder.finish())
        return self._encoder.seal(b"".join(self._parts))

    def broken(self, error: Exception) -> bytes:
        raise error  # not called: no byte is sent before the end


class ServerSentEvents:
    """OpenAI's events, `speech.audio.error`, and `speech.audio.words` where words are told."""

    content_type = EVENT_STREAM

    def __init__(self, job: SpeechJob, *, tells_words: bool = False) -> None:
        self._text = job.text
        self._words = job.words if tells_words else None
        self._encoder = SpeechEncoder(job.options)
        self._is_heard = False

    async def feed(self, chunk: AudioChunk) -> bytes:
        return self._events(await self._encoder.feed(chunk.pcm))

    async def fill(self) -> bytes:
        return event_of("speech.audio.delta", audio=base64_of(await self._encoder.fill()))

    async def end(self, last: AudioChunk) -> bytes:
        tail = await self.feed(last) + self._events(await self._encoder.finish())
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

    def _events(self, encoded: bytes) -> bytes:
        """The words come before their sound, and none before the first sound."""
        self._is_heard = self._is_heard or bool(encoded)
        if not self._is_heard:
            return b""
        news = [] if self._words is None else self._encoder.fillers.heard(self._words.news())
        words = event_of("speech.audio.words", **words_of(news)) if news else b""
        return words + (
            event_of("speech.audio.delta", audio=base64_of(encoded)) if encoded else b""
        )
