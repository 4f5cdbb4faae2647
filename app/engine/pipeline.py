"""Text to sound, in one readable piece: T3's tokens flow into the vocoder while T3 goes on.

    segments ──▶ TokenSource (T3, here or behind a handle) ──▶ vocoder's EngineLoop ──▶ AudioChunk

Segments are spoken in order without a gap. T3 starts the next segment as soon as it has ended the
one before, at most one segment ahead of the one that is heard. Knows nothing about where T3 runs.
"""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing

from app.core import (
    SAMPLES_PER_TOKEN,
    AudioChunk,
    FinishReason,
    SpeechTokens,
    SynthesisRequest,
    TokenRequest,
    TokenSource,
)
from app.engine.loop import EngineLoop, EngineStream
from app.engine.s3gen.engine import OpenSegment, PushTokens, SegmentAudio, VocoderMessage
from app.engine.voices import S3GenConditionals
from app.errors import SynthesisFailed

VocoderLoop = EngineLoop[VocoderMessage, SegmentAudio]


class SpeechPipeline:
    def __init__(
        self,
        tokens: TokenSource,
        vocoder: VocoderLoop,
        conditionals: Callable[[str], Awaitable[S3GenConditionals]],
    ) -> None:
        self._tokens = tokens
        self._vocoder = vocoder
        self._conditionals = conditionals

    async def speak(self, request: SynthesisRequest) -> AsyncGenerator[AudioChunk, None]:
        """The session's chunks; exactly the last has a finish. Closing it stops both engines."""
        conditionals = await self._conditionals(request.voice)
        current: _Segment | None = self._begin(request, 0, conditionals, after=None)
        upcoming: _Segment | None = None
        start = 0
        try:
            while current is not None:
                index = current.index + 1
                if index < len(request.segments):
                    upcoming = self._begin(request, index, conditionals, after=current.feeding)
                async for audio in current.heard():
                    chunk = _to_chunk(request, audio, start, is_last=upcoming is None)
                    start += len(audio.pcm)
                    yield chunk
                    if chunk.finish is not None:
                        return
                current, upcoming = upcoming, None
        finally:
            for segment in (current, upcoming):
                if segment is not None:
                    await segment.close()

    def _begin(
        self,
        request: SynthesisRequest,
        index: int,
        conditionals: S3GenConditionals,
        after: "asyncio.Task[None] | None",
    ) -> "_Segment":
        message = OpenSegment(
            request.key,
            index,
            request.voice,
            conditionals,
            seed=request.sampling.seed,
            fade_in=index == 0,
        )
        audio = self._vocoder.open(request.key, index, message)
        return _Segment(index, audio, asyncio.ensure_future(self._feed(request, index, after)))

    async def _feed(
        self, request: SynthesisRequest, index: int, after: "asyncio.Task[None] | None"
    ) -> None:
        """Push one segment's tokens as they come; whatever goes wrong, the segment ends."""
        segment = TokenRequest(
            request.key,
            index,
            request.segments[index],
            request.voice,
            request.sampling,
            request.language,
        )
        finish = None
        try:
            if after is not None:
                await asyncio.wait({after})
            async with aclosing(self._tokens.tokens(segment)) as groups:
                async for group in groups:
                    finish = group.finish
                    self._vocoder.send(PushTokens(group))
        finally:
            if finish is None and self._vocoder.failure is None:
                broken = SpeechTokens(request.key, index, 0, (), FinishReason.ERROR)
                self._vocoder.send(PushTokens(broken))


class _Segment:
    """One segment on its way: T3's tokens being fed, the vocoder's audio being heard."""

    def __init__(
        self, index: int, audio: EngineStream[SegmentAudio], feeding: "asyncio.Task[None]"
    ) -> None:
        self.index = index
        self.feeding = feeding
        self._audio = audio

    async def heard(self) -> AsyncGenerator[SegmentAudio, None]:
        """Raises what T3 raised, where that is why the vocoder could not go on."""
        try:
            async for audio in self._audio:
                yield audio
        except SynthesisFailed:
            if self.feeding.done() and not self.feeding.cancelled():
                self.feeding.result()
            raise

    async def close(self) -> None:
        self._audio.close()
        self.feeding.cancel()
        await asyncio.wait({self.feeding})
        if not self.feeding.cancelled():
            self.feeding.exception()  # seen: whoever listened was told through the audio


def _to_chunk(
    request: SynthesisRequest, audio: SegmentAudio, start: int, *, is_last: bool
) -> AudioChunk:
    ran_out = audio.finish in (FinishReason.STOP, FinishReason.LENGTH)
    finish = None if ran_out and not is_last else audio.finish
    num_tokens = -(-(start + len(audio.pcm)) // SAMPLES_PER_TOKEN)
    return AudioChunk(request.key, audio.segment, start, audio.pcm, num_tokens, finish)
