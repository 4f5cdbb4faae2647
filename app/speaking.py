"""The sessions whose sound passes through this process, from claim to finish.

One path for every end: the audio ran out, a cancel arrived, the listener left, the deadline, a
fault. Each releases the source of chunks once and finishes the session once. A paced session is
handed on no faster than it plays, but for a few seconds: what a listener who left had not heard was
not sent, and the queue to a slow one stays short. Knows nothing about where chunks come from, nor
whether the registry is near.
"""

import asyncio
import sys
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from functools import partial

import numpy as np

from app.core import (
    SAMPLE_RATE,
    AudioChunk,
    FinishReason,
    Mark,
    SessionKey,
    SynthesisRequest,
    merged,
)
from app.errors import DuplicateSession, Overloaded, SynthesisFailed
from app.sessions import Claim, RegistryClient, SessionEnd

OpenChunks = Callable[[SynthesisRequest], AsyncGenerator[AudioChunk, None]]


class LiveSessions:
    """`stop` may be called for any id; it acts on those that are live here."""

    def __init__(
        self, registry: RegistryClient, timeout_s: float, send_ahead_s: float | None = None
    ) -> None:
        """`send_ahead_s`: of a paced session's sound, before its listener needs it; None: all."""
        self._registry = registry
        self._timeout_s = timeout_s
        self._send_ahead_s = send_ahead_s
        self._stops: dict[SessionKey, asyncio.Event] = {}

    def __len__(self) -> int:
        return len(self._stops)

    def keys(self) -> frozenset[SessionKey]:
        return frozenset(self._stops)

    def stop(self, key: SessionKey) -> None:
        if (stop := self._stops.get(key)) is not None:
            stop.set()

    async def speak(
        self, request: SynthesisRequest, open_chunks: OpenChunks
    ) -> AsyncGenerator[AudioChunk, None]:
        """The chunks of `open_chunks`, until it ends or the session is stopped.

        Raises DuplicateSession; Overloaded while draining; SynthesisFailed at the deadline.
        """
        key = request.key
        stop = self._stops.get(key)
        if stop is not None:  # also where the registry is away and grants everything
            raise DuplicateSession(f"session {key.session_id} is live", param="X-Request-ID")
        stop = self._stops[key] = asyncio.Event()
        sent = _Sent(request)
        claimed = False
        try:
            claim = await self._claim(key)
            if claim is Claim.DUPLICATE:
                raise DuplicateSession(
                    f"session id {key.session_id} has been used", param="X-Request-ID"
                )
            if claim is Claim.DRAINING:
                raise Overloaded("the server is about to stop", code="draining")
            claimed = True
            sent.claimed()
            if claim is Claim.CANCELLED:
                stop.set()
            async with aclosing(open_chunks(request)) as chunks:
                while not sent.finish and (chunk := await self._next(chunks, stop, sent)):
                    sent.add(chunk)
                    yield chunk
                    sent.handed_on()
        finally:
            del self._stops[key]
            if claimed:
                failed = isinstance(sys.exception(), Exception)  # else the listener has left
                self._registry.finish(key, sent.end(stop.is_set(), failed))

    async def _claim(self, key: SessionKey) -> Claim:
        claiming = asyncio.ensure_future(self._registry.claim(key))
        try:
            return await asyncio.shield(claiming)
        except asyncio.CancelledError:  # the listener has left; what is granted is given back
            claiming.add_done_callback(partial(self._give_back, key))
            raise

    def _give_back(self, key: SessionKey, claiming: "asyncio.Task[Claim]") -> None:
        if claiming.exception() is None and claiming.result() is Claim.GRANTED:
            self._registry.finish(key, SessionEnd(FinishReason.CANCELLED))

    async def _next(
        self, chunks: AsyncGenerator[AudioChunk, None], stop: asyncio.Event, sent: "_Sent"
    ) -> AudioChunk:
        """The next chunk, when it is time for it; or the last, empty one if a stop comes first."""
        if stop.is_set():
            return sent.cancelled()
        stopping = asyncio.ensure_future(stop.wait())
        coming = asyncio.ensure_future(anext(chunks))
        left_s = sent.started_at + self._timeout_s - time.monotonic()
        try:
            await asyncio.wait(
                {stopping, coming}, timeout=left_s, return_when=asyncio.FIRST_COMPLETED
            )
            if not coming.done() and not stop.is_set():
                raise SynthesisFailed(f"not finished within {self._timeout_s:g} s", code="timeout")
            if coming.done() and not coming.exception() and self._send_ahead_s is not None:
                early_s = sent.early_s(coming.result(), self._send_ahead_s)
                await asyncio.wait({stopping}, timeout=max(0.0, early_s))
            if stop.is_set():
                return sent.cancelled()
            try:
                return coming.result()
            except StopAsyncIteration:
                raise SynthesisFailed("the stream ended without a finish") from None
        finally:
            stopping.cancel()
            coming.cancel()
            await asyncio.wait({coming})  # the generator must be at rest before it is closed
            if not coming.cancelled():
                coming.exception()  # seen, even where a stop came first


class _Sent:
    """What has been handed on of one session."""

    def __init__(self, request: SynthesisRequest) -> None:
        self.started_at = time.monotonic()
        self.finish: FinishReason | None = None
        self._request = request
        self._samples = 0
        self._on_its_way = False  # sound that was given to whoever listens
        self._num_tokens = 0
        self._segment = 0
        self._marks = {Mark.RECEIVED: request.received_s}

    def claimed(self) -> None:
        self._marks[Mark.CLAIMED] = time.monotonic()

    def add(self, chunk: AudioChunk) -> None:
        self._samples += len(chunk.pcm)
        self._on_its_way = len(chunk.pcm) > 0
        self._num_tokens = max(self._num_tokens, chunk.num_tokens)
        self._segment = chunk.segment
        self._marks = merged(self._marks, chunk.marks)
        self.finish = chunk.finish

    def handed_on(self) -> None:
        """Whoever asks for the next chunk has done with the last."""
        if self._on_its_way:
            now = time.monotonic()
            self._marks.setdefault(Mark.FIRST_BYTE, now)
            self._marks[Mark.LAST_BYTE] = now
            self._on_its_way = False

    def early_s(self, chunk: AudioChunk, ahead_s: float) -> float:
        """How long a paced chunk still waits: until all that was sent plays for at most `ahead_s`,
        but never so long that a listener is left with less than half of that."""
        first_s = self._marks.get(Mark.FIRST_BYTE)
        if first_s is None or not self._request.is_paced:
            return 0.0
        left_s = self._samples / SAMPLE_RATE - (time.monotonic() - first_s)
        return min(left_s + len(chunk.pcm) / SAMPLE_RATE - ahead_s, left_s - ahead_s / 2)

    def cancelled(self) -> AudioChunk:
        return AudioChunk(
            self._request.key,
            self._segment,
            self._samples,
            np.zeros(0, np.float32),
            self._num_tokens,
            FinishReason.CANCELLED,
        )

    def end(self, stopped: bool, failed: bool) -> SessionEnd:
        """`stopped`: by a cancel. `failed`: by a fault; else, without a finish, the listener has
        left."""
        now = time.monotonic()
        if self.finish is not None:
            self.handed_on()
        elif not failed and not stopped:
            self._marks[Mark.DISCONNECTED] = now
        reason = self.finish or (FinishReason.ERROR if failed else FinishReason.CANCELLED)
        if reason is FinishReason.CANCELLED:
            self._marks[Mark.AUDIO_STOPPED] = now
        return SessionEnd(reason, self._samples / SAMPLE_RATE, self._num_tokens, self._marks)
