"""A job's sound as the bytes of its format, with the script's pauses in their places.

Codecs, tempo and rate run on other threads: an event loop that encodes stalls every other stream.
Knows nothing about how bytes travel.
"""

import asyncio
import time
from collections.abc import AsyncGenerator
from contextlib import aclosing, nullcontext
from dataclasses import dataclass, field

import numpy as np

from app.api.services import Services
from app.api.speech_job import SpeechJob, SpeechOptions
from app.audio.formats import AudioStream
from app.audio.pcm import Samples
from app.core import SAMPLE_RATE, AudioChunk, FinishReason
from app.errors import SynthesisFailed
from app.text.markup import Script


@dataclass(slots=True)
class Progress:
    """What has been encoded of one session. Times in seconds on the process's clock."""

    started: float = field(default_factory=time.perf_counter)
    first_audio: float | None = None
    audio_s: float = 0.0  # as it is heard: shaped, pauses included
    num_tokens: int = 0
    segment: int = 0  # of the latest sound
    finish: FinishReason | None = None

    def add(self, chunk: AudioChunk) -> None:
        if len(chunk.pcm) and self.first_audio is None:
            self.first_audio = time.perf_counter()
        self.num_tokens = max(self.num_tokens, chunk.num_tokens)
        self.segment = chunk.segment
        self.finish = chunk.finish

    def heard(self, audio_s: float) -> None:
        """So much has been encoded by now."""
        if self.first_audio is None:
            self.first_audio = time.perf_counter()
        self.audio_s = audio_s

    def timing_ms(self) -> dict[str, float]:
        heard = self.started if self.first_audio is None else self.first_audio
        return {
            "first_audio_ms": round((heard - self.started) * 1e3, 3),
            "total_ms": round((time.perf_counter() - self.started) * 1e3, 3),
            "audio_ms": round(self.audio_s * 1e3, 3),
        }


async def encoded(
    services: Services, job: SpeechJob, progress: Progress
) -> AsyncGenerator[bytes, None]:
    """The audio bytes of one whole job; none if it was cancelled before its first sound. Raises
    what `sound_of` raises."""
    encoder = await opened(job.options)
    async with aclosing(sound_of(services, job, progress)) as sound:
        async for pcm in sound:
            if part := await fed(encoder, pcm):
                progress.audio_s = encoder.audio_s
                yield part
    if progress.first_audio is not None and (tail := await asyncio.to_thread(encoder.finish)):
        progress.audio_s = encoder.audio_s
        yield tail


async def sound_of(
    services: Services, job: SpeechJob, progress: Progress
) -> AsyncGenerator[Samples, None]:
    """The session's samples with its pauses; none if it was cancelled before its first sound.

    Raises RateLimited before any work, Overloaded where nothing is heard in time,
    SynthesisFailed where the speech could not be finished or is no sound at all, and what the
    synthesizer raises.
    """
    admitted = services.admission.admitted(job.caller, job.script.num_chars)
    async with (
        admitted if job.ticket is None else nullcontext(job.ticket) as ticket,
        aclosing(_spoken(services, job, progress)) as sound,
    ):
        async for pcm in sound:
            ticket.audio_s += len(pcm) / SAMPLE_RATE
            yield pcm


async def _spoken(
    services: Services, job: SpeechJob, progress: Progress
) -> AsyncGenerator[Samples, None]:
    pauses = _Pauses(job.script)
    is_silent = True
    async with aclosing(services.synthesizer.speak(job.request)) as chunks:
        chunk: AudioChunk | None = await _first(chunks)
        while chunk is not None:
            progress.add(chunk)
            if len(chunk.pcm):
                is_silent = False
                yield pauses.before(chunk)
            chunk = None if chunk.finish is not None else await anext(chunks, None)
        if progress.finish in (None, FinishReason.ERROR):
            raise SynthesisFailed("the speech could not be finished")
        if progress.finish is FinishReason.CANCELLED:
            return
        if is_silent:
            raise SynthesisFailed("the model made no sound of this text", code="no_audio")
        if len(last := pauses.at_end()):
            yield last


async def opened(options: SpeechOptions) -> AudioStream:
    return await asyncio.to_thread(AudioStream, options.format, options.sample_rate, options.speed)


async def _first(chunks: AsyncGenerator[AudioChunk, None]) -> AudioChunk | None:
    """The first chunk with sound, or the last if that comes before."""
    async for chunk in chunks:
        if len(chunk.pcm) or chunk.finish is not None:
            return chunk
    return None


async def fed(encoder: AudioStream, pcm: Samples) -> bytes:
    if encoder.is_light:
        return encoder.feed(pcm)
    return await asyncio.to_thread(encoder.feed, pcm)


class _Pauses:
    """The silences of a script that have not been heard yet."""

    def __init__(self, script: Script) -> None:
        self._left_s = list(script.pauses_s)
        self._num_segments = len(script.segments)

    def before(self, chunk: AudioChunk) -> Samples:
        """The chunk's samples, behind the pauses that come before its segment."""
        pause_s = self._take(chunk.segment + 1)
        return np.concatenate([_silence(pause_s), chunk.pcm]) if pause_s else chunk.pcm

    def at_end(self) -> Samples:
        return _silence(self._take(self._num_segments + 1))

    def _take(self, end: int) -> float:
        pause_s = sum(self._left_s[:end])
        self._left_s[:end] = [0.0] * len(self._left_s[:end])
        return pause_s


def _silence(seconds: float) -> Samples:
    return np.zeros(round(seconds * SAMPLE_RATE), np.float32)
