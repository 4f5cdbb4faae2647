"""The sound of a job: its chunks with the pauses of the text, and their encoding.

Codecs, tempo and sample rate run on other threads: an event loop that encodes would stall every
other stream. Knows nothing about how bytes travel.
"""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing, nullcontext
from dataclasses import replace

import numpy as np

from app.api.fillers import Fillers
from app.api.services import Services
from app.api.speech_job import SpeechJob, SpeechOptions
from app.audio.formats import AudioStream
from app.audio.pcm import Samples
from app.core import SAMPLE_RATE, AudioChunk, FinishReason, SessionKey
from app.errors import SynthesisFailed
from app.text.plan import SpokenText

HEADERLESS = ("pcm", "mulaw", "alaw")
FILLER_S = 0.02
MAX_FILLERS = 50


async def chunks_of(services: Services, job: SpeechJob) -> AsyncGenerator[AudioChunk, None]:
    """The chunks of the session with its pauses as silence. The last chunk has the finish and the
    session's marks; it has no sound but a pause at the end of the text. `job.words` has the words
    of each chunk before the chunk is given.

    A job without a segment is the silence of its pauses, and no session. Raises RateLimited before
    any work, SynthesisFailed where the speech could not be finished or has no sound at all, and all
    errors of the synthesizer.
    """
    admitted = services.admission.admitted(job.options.caller, job.predicted_s)
    pauses = _Pauses(job.text)
    is_silent = True
    async with (
        admitted if job.ticket is None else nullcontext(job.ticket) as ticket,
        aclosing(_source(services, job)) as chunks,
    ):
        async for chunk in chunks:
            job.words.add(chunk)
            is_silent = is_silent and not len(chunk.pcm)
            if chunk.finish is FinishReason.ERROR:
                break
            if is_silent and _is_complete(chunk) and job.request.segments:
                raise SynthesisFailed("the model made no sound of this text", code="no_audio")
            heard = pauses.around(chunk)
            ticket.audio_s += len(heard.pcm) / SAMPLE_RATE
            yield heard
            if chunk.finish is not None:
                return
        raise SynthesisFailed("the speech could not be finished")


def _source(services: Services, job: SpeechJob) -> AsyncGenerator[AudioChunk, None]:
    request = job.request
    if not request.segments:
        return _nothing(request.key)
    return services.synthesizer.speak(request, job.words)


async def _nothing(key: SessionKey) -> AsyncGenerator[AudioChunk, None]:
    yield AudioChunk(key, 0, 0, np.zeros(0, np.float32), finish=FinishReason.STOP)


def _is_complete(chunk: AudioChunk) -> bool:
    """Whether this is the last chunk of a session that was not cancelled."""
    return chunk.finish is not None and chunk.finish.is_complete


class _Pauses:
    """The pauses of a text that have not been heard yet."""

    def __init__(self, text: SpokenText) -> None:
        self._left_s = list(text.pauses_s)

    def around(self, chunk: AudioChunk) -> AudioChunk:
        """The chunk, after the pauses before its segment; the last chunk before the pause at the
        end."""
        before = self._take(chunk.segment + 1) if len(chunk.pcm) else 0.0
        after = self._take(len(self._left_s)) if _is_complete(chunk) else 0.0
        if not before + after:
            return chunk
        return replace(chunk, pcm=np.concatenate([_silence(before), chunk.pcm, _silence(after)]))

    def _take(self, end: int) -> float:
        pause_s = sum(self._left_s[:end])
        self._left_s[:end] = [0.0] * len(self._left_s[:end])
        return pause_s


def _silence(seconds: float) -> Samples:
    return np.zeros(round(seconds * SAMPLE_RATE), np.float32)


class SpeechEncoder:
    """One stream of samples on its way into the format of its options."""

    def __init__(self, options: SpeechOptions) -> None:
        self._options = options
        self._stream: AudioStream | None = None  # opened with the first samples
        self._drained_s = 0.0  # in the streams before this one
        self._num_fed = 0  # samples of speech
        self.fillers = Fillers()

    @property
    def audio_s(self) -> float:
        """Seconds of sound so far, after speed and with pauses: the sound as it is heard, without
        fillers."""
        return max(0.0, self._encoded_s - self.fillers.total_s)

    @property
    def _encoded_s(self) -> float:
        return self._drained_s + (0.0 if self._stream is None else self._stream.audio_s)

    async def feed(self, pcm: Samples) -> bytes:
        self._num_fed += len(pcm)
        return await self._encoded(pcm)

    async def fill(self) -> bytes:
        """A filler: as much silence as makes bytes, which codecs hold back. What is fed later
        follows it."""
        speed, num_fillers = self._options.speed, 0
        silence = np.zeros(round(FILLER_S * speed * SAMPLE_RATE), np.float32)
        sound = b""
        while not sound and num_fillers < MAX_FILLERS:
            sound = await self._encoded(silence)
            num_fillers += 1
        at_s = self._num_fed / SAMPLE_RATE / speed + self._options.delay_s
        self.fillers.add(at_s * 1e3, num_fillers * len(silence) / SAMPLE_RATE / speed * 1e3)
        return sound

    async def _encoded(self, pcm: Samples) -> bytes:
        if not len(pcm):
            return b""
        if self._stream is not None and self._stream.is_light:
            return self._stream.feed(pcm)
        return await asyncio.to_thread(self._feed, pcm)

    def _feed(self, pcm: Samples) -> bytes:
        if self._stream is None:
            options = self._options
            self._stream = AudioStream(options.format, options.sample_rate, options.speed)
        return self._stream.feed(pcm)

    async def drain(self) -> bytes:
        """The bytes that are held back, before a pause of any length. None of a format whose parts
        are no stream when they are joined."""
        if self._stream is None or self._options.format_name not in HEADERLESS:
            return b""
        drained = await self.finish()
        self._drained_s, self._stream = self._encoded_s, None
        return drained

    async def finish(self) -> bytes:
        """The bytes that are still held back. Without any sound there are none."""
        return b"" if self._stream is None else await asyncio.to_thread(self._stream.finish)

    def seal(self, body: bytes) -> bytes:
        """The whole file with its true length; `body` is all that `feed` and `finish` returned."""
        if self._stream is None:
            return body
        return self._options.format.seal(body, self._stream.num_samples, self._options.sample_rate)
