"""The sessions whose sound passes through this process, from claim to finish.

One path for every end: the audio ran out, a cancel arrived, the listener left, a fault. Each
releases the source of chunks once and finishes the session once. Knows nothing about where chunks
come from, nor whether the registry is near.
"""

import asyncio
import sys
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from functools import partial

import numpy as np

from app.core import SAMPLE_RATE, AudioChunk, FinishReason, SessionKey, SynthesisRequest
from app.errors import DuplicateSession, SynthesisFailed
from app.sessions import Claim, RegistryClient

OpenChunks = Callable[[SynthesisRequest], AsyncGenerator[AudioChunk, None]]


class LiveSessions:
    """`stop` may be called for any id; it acts on those that are live here."""

    def __init__(self, registry: RegistryClient, timeout_s: float) -> None:
        self._registry = registry
        self._timeout_s = timeout_s
        self._stops: dict[SessionKey, asyncio.Event] = {}

    def __len__(self) -> int:
        return len(self._stops)

    def stop(self, key: SessionKey) -> None:
        if (stop := self._stops.get(key)) is not None:
            stop.set()

    async def speak(
        self, request: SynthesisRequest, open_chunks: OpenChunks
    ) -> AsyncGenerator[AudioChunk, None]:
        """The chunks of `open_chunks`, until it ends or the session is stopped.

        Raises DuplicateSession; SynthesisFailed at the deadline.
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
            claimed = True
            if claim is Claim.CANCELLED:
                stop.set()
            async with aclosing(open_chunks(request)) as chunks:
                while not sent.finish and (chunk := await self._next(chunks, stop, sent)):
                    sent.add(chunk)
                    yield chunk
        finally:
            del self._stops[key]
            if claimed:
                failed = isinstance(sys.exception(), Exception)  # else the listener has left
                reason = sent.finish or (FinishReason.ERROR if failed else FinishReason.CANCELLED)
                self._registry.finish(key, reason, sent.samples / SAMPLE_RATE, sent.num_tokens)

    async def _claim(self, key: SessionKey) -> Claim:
        claiming = asyncio.ensure_future(self._registry.claim(key))
        try:
            return await asyncio.shield(claiming)
        except asyncio.CancelledError:  # the listener has left; what is granted is given back
            claiming.add_done_callback(partial(self._give_back, key))
            raise

    def _give_back(self, key: SessionKey, claiming: "asyncio.Task[Claim]") -> None:
        if claiming.exception() is None and claiming.result() is Claim.GRANTED:
            self._registry.finish(key, FinishReason.CANCELLED, 0.0, 0)

    async def _next(
        self, chunks: AsyncGenerator[AudioChunk, None], stop: asyncio.Event, sent: "_Sent"
    ) -> AudioChunk:
        """The next chunk, or the last, empty one if a stop comes first."""
        if stop.is_set():
            return sent.cancelled()
        stopping = asyncio.ensure_future(stop.wait())
        coming = asyncio.ensure_future(anext(chunks))
        left_s = sent.started_at + self._timeout_s - time.monotonic()
        try:
            await asyncio.wait(
                {stopping, coming}, timeout=left_s, return_when=asyncio.FIRST_COMPLETED
            )
            if stop.is_set():
                return sent.cancelled()
            if not coming.done():
                raise SynthesisFailed(f"not finished within {self._timeout_s:g} s", code="timeout")
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
        self.key = request.key
        self.started_at = time.monotonic()
        self.samples = 0
        self.num_tokens = 0
        self.segment = 0
        self.finish: FinishReason | None = None

    def add(self, chunk: AudioChunk) -> None:
        self.samples += len(chunk.pcm)
        self.num_tokens = max(self.num_tokens, chunk.num_tokens)
        self.segment = chunk.segment
        self.finish = chunk.finish

    def cancelled(self) -> AudioChunk:
        return AudioChunk(
            self.key,
            self.segment,
            self.samples,
            np.zeros(0, np.float32),
            self.num_tokens,
            FinishReason.CANCELLED,
        )
