"""Text to sound, in one readable piece: T3's tokens flow into the vocoder while T3 goes on.

    segments ──▶ TokenSource (T3, here or behind a handle) ──▶ vocoder's EngineLoop ──▶ AudioChunk

Segments are spoken in order without a gap. T3 starts the next segment as soon as it has ended the
one before, at most one segment ahead of the one that is heard. Knows nothing about where T3 runs.
"""

import asyncio
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from dataclasses import replace

from app.core import (
    NO_MARKS,
    SAMPLES_PER_TOKEN,
    TOKENS_PER_S,
    AudioChunk,
    FinishReason,
    Mark,
    Marks,
    SpeechTokens,
    SynthesisRequest,
    TokenRequest,
    TokenSource,
)
from app.engine.conditionals import S3GenConditionals
from app.engine.loop import EngineLoop
from app.engine.s3gen.messages import OpenSegment, PushTokens, SegmentAudio, VocoderMessage
from app.engine.stream import EngineStream
from app.errors import SynthesisFailed

VocoderLoop = EngineLoop[VocoderMessage, SegmentAudio]
Feeding = asyncio.Task[FinishReason | None]
_RAN_OUT = (FinishReason.STOP, FinishReason.LENGTH)


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
        playback = _Playback()
        playback.marks[Mark.CONDITIONED] = time.monotonic()
        current: _Segment | None = self._begin(request, 0, conditionals, playback, after=None)
        upcoming: _Segment | None = None
        start, is_cut = 0, False
        try:
            while current is not None:
                index = current.index + 1
                if index < len(request.segments):
                    upcoming = self._begin(
                        request, index, conditionals, playback, after=current.feeding
                    )
                async for audio in current.heard():
                    marks = playback.begin()
                    is_cut |= audio.finish is FinishReason.LENGTH
                    chunk = _to_chunk(request, audio, start, marks, is_last=upcoming is None)
                    if chunk.finish is FinishReason.STOP and is_cut:  # words are missing before
                        chunk = replace(chunk, finish=FinishReason.LENGTH)
                    start += len(audio.pcm)
                    yield chunk
                    if chunk.finish is not None:
                        return
                current, upcoming = upcoming, None
        finally:
            live = [segment for segment in (current, upcoming) if segment is not None]
            for segment in live:  # all of them before the first wait: it may be cut short
                segment.stop()
            for segment in live:
                await segment.ended()

    def _begin(
        self,
        request: SynthesisRequest,
        index: int,
        conditionals: S3GenConditionals,
        playback: "_Playback",
        after: "Feeding | None",
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
        feeding = self._feed(request, index, playback, after)
        return _Segment(index, audio, asyncio.ensure_future(feeding))

    async def _feed(
        self,
        request: SynthesisRequest,
        index: int,
        playback: "_Playback",
        after: "Feeding | None",
    ) -> FinishReason | None:
        """Push one segment's tokens as they come; whatever goes wrong, the segment ends. T3 is
        not asked for it where the one before was cancelled or failed. Returns T3's finish."""
        finish = None
        try:
            if after is not None:
                await asyncio.wait({after})
                if not _ran_out(after):
                    return None
            segment = TokenRequest(
                request.key,
                index,
                request.segments[index],
                request.voice,
                request.sampling,
                request.language,
                playback.lead_s(),
            )
            async with aclosing(self._tokens.tokens(segment)) as groups:
                async for group in groups:
                    finish = group.finish
                    playback.num_tokens += len(group.ids)
                    if index == 0:
                        playback.marks |= group.marks
                    self._vocoder.send(PushTokens(group))
            return finish
        finally:
            if finish is None and self._vocoder.failure is None:
                broken = SpeechTokens(request.key, index, 0, (), FinishReason.ERROR)
                self._vocoder.send(PushTokens(broken))


class _Playback:
    """What a listener who plays each chunk as it comes still has to hear, over the session."""

    def __init__(self) -> None:
        self.num_tokens = 0  # of all segments, spoken or about to be
        self.marks: dict[Mark, float] = {}  # until the first chunk takes them along
        self._began_s: float | None = None

    def begin(self) -> Marks:
        """A chunk has come; the first counts, and gets the marks."""
        if self._began_s is not None:
            return NO_MARKS
        self._began_s = time.monotonic()
        return self.marks | {Mark.FIRST_CELL: self._began_s}

    def lead_s(self) -> float:
        heard_s = 0.0 if self._began_s is None else time.monotonic() - self._began_s
        return max(0.0, self.num_tokens / TOKENS_PER_S - heard_s)


class _Segment:
    """One segment on its way: T3's tokens being fed, the vocoder's audio being heard."""

    def __init__(self, index: int, audio: EngineStream[SegmentAudio], feeding: Feeding) -> None:
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

    def stop(self) -> None:
        self._audio.close()
        self.feeding.cancel()

    async def ended(self) -> None:
        await asyncio.wait({self.feeding})
        if not self.feeding.cancelled():
            self.feeding.exception()  # seen: whoever listened was told through the audio


def _ran_out(feeding: Feeding) -> bool:
    if feeding.cancelled() or feeding.exception() is not None:
        return False
    return feeding.result() in _RAN_OUT


def _to_chunk(
    request: SynthesisRequest, audio: SegmentAudio, start: int, marks: Marks, *, is_last: bool
) -> AudioChunk:
    finish = None if audio.finish in _RAN_OUT and not is_last else audio.finish
    num_tokens = -(-(start + len(audio.pcm)) // SAMPLES_PER_TOKEN)
    if finish in _RAN_OUT:
        marks = {**marks, Mark.LAST_CELL: time.monotonic()}
    return AudioChunk(request.key, audio.segment, start, audio.pcm, num_tokens, finish, marks)
