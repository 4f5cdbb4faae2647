"""Text to sound: T3's tokens flow into the vocoder while T3 goes on.

    segments ──▶ TokenSource (T3, here or behind a handle) ──▶ vocoder's EngineLoop ──▶ AudioChunk

Segments are spoken in order without a gap. T3 starts a segment when it has ended the one before, at
most one segment ahead of the one that is heard, and not before its listener is near enough. Knows
nothing about where T3 runs.
"""

import asyncio
import math
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from dataclasses import replace
from functools import partial
from typing import Protocol

from app.core import (
    SAMPLES_PER_TOKEN,
    AudioChunk,
    FinishReason,
    Mark,
    Marks,
    SessionKey,
    SpeechTokens,
    SynthesisRequest,
    TokenRequest,
    VoiceRef,
)
from app.engine.conditionals import S3GenConditionals
from app.engine.last_word import LastWord
from app.engine.loop import EngineLoop
from app.engine.playback import Playback
from app.engine.s3gen.messages import OpenSegment, PlaybackBegins, SegmentAudio, VocoderMessage
from app.engine.start import StartRule, StreamStart, started
from app.engine.stream import EngineStream
from app.errors import BadRequest, SynthesisFailed
from app.sessions.smoothness import Company
from app.sessions.tasks import cancel_and_wait
from app.word_marks import WordMark, WordTime

VocoderLoop = EngineLoop[VocoderMessage, SegmentAudio]
Feeding = asyncio.Task[FinishReason | None]
_CUT = (FinishReason.LENGTH, FinishReason.BABBLE)
ROOM_S = 1.0  # T3 is asked for a segment once the listener is this much nearer than the bound


class TokenSource(Protocol):
    """T3 as the vocoder sees it: in this process or behind a handle."""

    def tokens(self, request: TokenRequest) -> AsyncGenerator[SpeechTokens, None]:
        """Groups in order, the last with a finish reason. Closing the generator cancels."""


class SpeechPipeline:
    def __init__(
        self,
        tokens: TokenSource,
        vocoder: VocoderLoop,
        conditionals: Callable[[VoiceRef], Awaitable[S3GenConditionals]],
        *,
        lead_s: float | None = None,
        max_tokens: Callable[[S3GenConditionals], float] = lambda _: math.inf,
        start: StartRule | None = None,
    ) -> None:
        """`lead_s`: how far T3 may be ahead of a paced session's listener; None: no bound.
        `max_tokens`: that the vocoder can voice in one segment. `start`: None where no first sound
        is held and no player is told how long to wait."""
        self._lead_s = lead_s
        self._start = start
        self._spoken: dict[SessionKey, Playback] = {}  # of the sessions that are being spoken
        self._max_tokens = max_tokens
        self._tokens = tokens
        self._vocoder = vocoder
        self._conditionals = conditionals

    async def speak(self, request: SynthesisRequest) -> AsyncGenerator[AudioChunk, None]:
        """The session's chunks. Only the last has a finish. Closing the generator stops both
        engines. Raises BadRequest, before any work, where a segment may become too long."""
        conditionals = await self._conditionals(request.voice)
        self._refuse_too_long(request.sampling.max_tokens, self._max_tokens(conditionals))
        playback = Playback(request, self._start_of(request))
        playback.marks[Mark.CONDITIONED] = time.monotonic()
        self._spoken[request.key] = playback
        try:
            async with aclosing(self._chunks(request, conditionals, playback)) as chunks:
                async for chunk in self._started(chunks, request, playback):
                    yield chunk
        finally:
            del self._spoken[request.key]

    def _start_of(self, request: SynthesisRequest) -> StreamStart | None:
        """None where nobody plays the sound as it comes."""
        if self._start is None or not request.is_paced:
            return None
        return StreamStart(
            self._start, request, partial(self._company, request.key), time.monotonic
        )

    def _company(self, key: SessionKey) -> Company:
        others = [playback for other, playback in self._spoken.items() if other != key]
        num_silent = sum(playback.is_silent for playback in others)
        num_starting = sum(playback.is_starting for playback in others)
        return Company(num_silent, num_starting, len(others) - num_silent - num_starting)

    def _started(
        self,
        chunks: AsyncGenerator[AudioChunk, None],
        request: SynthesisRequest,
        playback: Playback,
    ) -> AsyncGenerator[AudioChunk, None]:
        if playback.start is None:
            return chunks

        def begin(plays_s: float) -> None:
            playback.begins_at(plays_s)
            if self._vocoder.failure is None:
                self._vocoder.send(PlaybackBegins(request.key, plays_s))

        return started(chunks, playback.start, begin)

    async def _chunks(
        self, request: SynthesisRequest, conditionals: S3GenConditionals, playback: Playback
    ) -> AsyncGenerator[AudioChunk, None]:
        current: _Segment | None = self._begin(request, 0, conditionals, playback, after=None)
        upcoming: _Segment | None = None
        start, cut = 0, None
        try:
            while current is not None:
                index = current.index + 1
                if index < len(request.segments):
                    upcoming = self._begin(
                        request, index, conditionals, playback, after=current.feeding
                    )
                async for audio in current.audio():
                    marks = playback.voiced(audio)
                    cut = audio.finish if audio.finish in _CUT else cut
                    chunk = _to_chunk(request, audio, start, marks, is_last=upcoming is None)
                    if chunk.finish is FinishReason.STOP and cut is not None:  # words are missing
                        chunk = replace(chunk, finish=cut)
                    if marks:
                        chunk = replace(chunk, costs=playback.costs(self._vocoder.stats()))
                    start += len(audio.pcm)
                    yield chunk
                    if chunk.finish is not None:
                        return
                current, upcoming = upcoming, None
        finally:
            live = [segment for segment in (current, upcoming) if segment is not None]
            for segment in live:  # all of them before the wait, which may be cancelled
                segment.close()
            await cancel_and_wait(*(segment.feeding for segment in live))

    @staticmethod
    def _refuse_too_long(asked: int, most: float) -> None:
        if asked > most:
            reason = f"the vocoder voices at most {most:g} tokens of a segment in this voice"
            message = f"max_tokens: {reason} (vocoder.policy: full)"
            raise BadRequest(message, param="max_tokens")

    def _begin(
        self,
        request: SynthesisRequest,
        index: int,
        conditionals: S3GenConditionals,
        playback: Playback,
        after: Feeding | None,
    ) -> "_Segment":
        message = OpenSegment(
            request.key,
            index,
            request.voice.name,
            conditionals,
            seed=request.sampling.seed,
            fade_in=index == 0,
            is_told=playback.start is not None,
        )
        stream = self._vocoder.open(request.key, index, message)
        feeding = self._feed(request, index, playback, after)
        last_word = LastWord(len(request.words[index]) - 1 if request.words else -1)
        return _Segment(index, stream, asyncio.ensure_future(feeding), last_word)

    async def _feed(
        self, request: SynthesisRequest, index: int, playback: Playback, after: Feeding | None
    ) -> FinishReason | None:
        """Send one segment's tokens to the vocoder as they come, and end the segment there in
        every case. Begins when `after`, the segment before, has ended; asks T3 for nothing if that
        one was cancelled or failed. Returns T3's finish."""
        finish = None
        try:
            if after is not None:
                await asyncio.wait({after})
                if not _is_complete(after):
                    return None
            await self._near(request, playback, index)
            segment = TokenRequest(
                request.key,
                index,
                request.segments[index],
                request.voice,
                request.sampling,
                request.language,
                playback.lead_s(index),
                request.is_paced,
                request.speed,
                request.words[index] if request.words else (),
            )
            playback.asked(index)
            async with aclosing(self._tokens.tokens(segment)) as groups:
                async for group in groups:
                    finish = group.finish
                    playback.add(group)
                    self._vocoder.send(group)
            return finish
        finally:
            if finish is None and self._vocoder.failure is None:
                broken = SpeechTokens(request.key, index, 0, (), FinishReason.ERROR)
                self._vocoder.send(broken)

    async def _near(self, request: SynthesisRequest, playback: Playback, index: int) -> None:
        """Returns once the listener of a paced session is near the segment."""
        bound_s = (
            math.inf if self._lead_s is None or not request.is_paced else self._lead_s - ROOM_S
        )
        if playback.lead_s(index) > bound_s:
            await playback.has_begun.wait()
            await asyncio.sleep(playback.lead_s(index) - bound_s)


class _Segment:
    """One segment in work: T3's tokens are fed to the vocoder, the vocoder's audio is read."""

    def __init__(
        self,
        index: int,
        stream: EngineStream[SegmentAudio],
        feeding: Feeding,
        last_word: LastWord,
    ) -> None:
        self.index = index
        self.feeding = feeding
        self._stream = stream
        self._last_word = last_word

    async def audio(self) -> AsyncGenerator[SegmentAudio, None]:
        """Raises T3's error where that error is why the vocoder could not go on."""
        try:
            async for audio in self._stream:
                yield self._last_word.placed(audio)
        except SynthesisFailed:
            if self.feeding.done() and not self.feeding.cancelled():
                self.feeding.result()
            raise

    def close(self) -> None:
        """Cancels the segment in the vocoder, unless it has ended."""
        self._stream.close()


def _is_complete(feeding: Feeding) -> bool:
    if feeding.cancelled() or feeding.exception() is not None:
        return False
    finish = feeding.result()
    return finish is not None and finish.is_complete


def _to_chunk(
    request: SynthesisRequest, audio: SegmentAudio, start: int, marks: Marks, *, is_last: bool
) -> AudioChunk:
    is_complete = audio.finish is not None and audio.finish.is_complete
    finish = None if is_complete and not is_last else audio.finish
    end = start + len(audio.pcm)
    num_tokens = -(-end // SAMPLES_PER_TOKEN)
    if is_complete and is_last:
        marks = {**marks, Mark.LAST_CELL: time.monotonic()}
    latest = math.inf if audio.finish is None else end  # of a word: a last token may have no sound
    words = tuple(
        WordTime(
            audio.segment,
            mark.word,
            *_samples(mark, start - audio.start, latest),
            mark.is_estimate,
        )
        for mark in audio.words
    )
    return AudioChunk(
        request.key, audio.segment, start, audio.pcm, num_tokens, finish, marks, words=words
    )


def _samples(mark: WordMark, segment_start: int, latest: float) -> tuple[int, int | None]:
    """Where the word begins and ends in the session, whose segment begins at `segment_start`.
    Nothing is later than `latest`."""

    def sample(token: float) -> int:
        return int(min(segment_start + round(token * SAMPLES_PER_TOKEN), latest))

    begins = sample(mark.start_token)
    return begins, None if mark.end_token is None else sample(mark.end_token)
