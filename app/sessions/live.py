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
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator
from contextlib import aclosing, asynccontextmanager, contextmanager, suppress
from functools import partial
from typing import Any, TypeVar

import numpy as np

from app.auth.quota import CHARS_PER_S
from app.config import Limits
from app.core import (
    SAMPLE_RATE,
    AudioChunk,
    FinishReason,
    Mark,
    SessionKey,
    SynthesisRequest,
    merged,
)
from app.errors import DuplicateSession, Overloaded, ServeError, SynthesisFailed
from app.sessions.table import Claim, RegistryClient, SessionEnd

T = TypeVar("T")
LEAVING_S = 1.0  # what a listener opened may be cancelled so long before the listener
OpenChunks = Callable[[SynthesisRequest], AsyncGenerator[AudioChunk, None]]
Prepare = Callable[[str], Awaitable[None]]  # a voice, before its first use


_NO_ROOM = {  # message, code
    Claim.DRAINING: ("the server is about to stop", "draining"),
    Claim.FULL: ("no slot will be free in time", "overloaded"),
    Claim.UNLOADED: ("the model is not loaded", "model_unloaded"),
}


class LiveSessions:
    """`stop` may be called for any id; it acts on those that are live here."""

    def __init__(self, registry: RegistryClient, limits: Limits) -> None:
        self._registry = registry
        self._limits = limits
        self._stops: dict[SessionKey, asyncio.Event] = {}

    def __len__(self) -> int:
        return len(self._stops)

    def keys(self) -> frozenset[SessionKey]:
        return frozenset(self._stops)

    def stop(self, key: SessionKey) -> None:
        if (stop := self._stops.get(key)) is not None:
            stop.set()

    async def speak(
        self, request: SynthesisRequest, open_chunks: OpenChunks, prepare: Prepare | None = None
    ) -> AsyncGenerator[AudioChunk, None]:
        """The chunks of `open_chunks`, until it ends or the session is stopped.

        Raises DuplicateSession; Overloaded while draining, unloaded or full, and where nothing is
        heard within `limits.first_audio_s` of the voice's being prepared; SynthesisFailed at the
        deadline.
        """
        key = request.key
        stop = self._stops.get(key)
        if stop is not None:  # also where the registry is away and grants everything
            raise DuplicateSession(f"session {key.session_id} is live", param="X-Request-ID")
        stop = self._stops[key] = asyncio.Event()
        sent = Delivery(request)
        claimed = False
        try:
            claim = await self._claim(key, sum(map(len, request.segments)) / CHARS_PER_S)
            if claim is Claim.DUPLICATE:
                raise DuplicateSession(
                    f"session id {key.session_id} has been used", param="X-Request-ID"
                )
            if claim in _NO_ROOM:
                message, code = _NO_ROOM[claim]
                raise Overloaded(message, code=code)
            claimed = True
            sent.claimed()
            if claim is Claim.CANCELLED:
                stop.set()
            if prepare is not None and not stop.is_set():
                async with _at_rest(asyncio.ensure_future(prepare(request.voice))) as preparing:
                    await self._in_time(preparing, stop, sent)
                    if not stop.is_set():
                        preparing.result()
            sent.prepared_at = time.monotonic()
            async with aclosing(open_chunks(request)) as chunks:
                while not sent.finish and (chunk := await self._next(chunks, stop, sent)):
                    sent.add(chunk)
                    with sent.leaving():
                        yield chunk
                    sent.handed_on()
        finally:
            del self._stops[key]
            if claimed:
                fault = sys.exception()  # where it is none of ours, the listener has left
                fault = fault if isinstance(fault, Exception) else None
                self._registry.finish(key, sent.end(stop.is_set(), fault))

    async def _claim(self, key: SessionKey, predicted_s: float) -> Claim:
        claiming = asyncio.ensure_future(self._registry.claim(key, predicted_s))
        try:
            return await asyncio.shield(claiming)
        except asyncio.CancelledError:  # the listener has left; what is granted is given back
            claiming.add_done_callback(partial(self._give_back, key))
            raise

    def _give_back(self, key: SessionKey, claiming: "asyncio.Task[Claim]") -> None:
        if (
            not claiming.cancelled()
            and claiming.exception() is None
            and claiming.result() is Claim.GRANTED
        ):
            self._registry.finish(key, SessionEnd(FinishReason.CANCELLED, cause="disconnect"))

    async def _next(
        self, chunks: AsyncGenerator[AudioChunk, None], stop: asyncio.Event, sent: "Delivery"
    ) -> AudioChunk:
        """The next chunk, when it is time for it; or the last, empty one if a stop comes first."""
        if stop.is_set():
            return sent.cancelled()
        async with _at_rest(asyncio.ensure_future(anext(chunks))) as coming:
            with sent.leaving():
                return await self._when_due(coming, stop, sent)

    async def _when_due(
        self, coming: "asyncio.Future[AudioChunk]", stop: asyncio.Event, sent: "Delivery"
    ) -> AudioChunk:
        await self._in_time(coming, stop, sent)
        ahead_s = self._limits.send_ahead_s
        if ahead_s is not None and not stop.is_set() and coming.exception() is None:
            with suppress(TimeoutError):
                async with asyncio.timeout(sent.early_s(coming.result(), ahead_s)):
                    await stop.wait()
        if stop.is_set():
            return sent.cancelled()
        try:
            return coming.result()
        except StopAsyncIteration:
            raise SynthesisFailed("the stream ended without a finish") from None

    async def _in_time(
        self, coming: "asyncio.Future[Any]", stop: asyncio.Event, sent: "Delivery"
    ) -> None:
        """Returns when either is there; raises what `speak` does where neither comes in time."""
        limits = self._limits
        overdue: ServeError = SynthesisFailed(
            f"not finished within {limits.request_timeout_s:g} s", code="timeout"
        )
        until = sent.started_at + limits.request_timeout_s
        if sent.prepared_at is not None and not sent.is_heard:
            heard_until = sent.prepared_at + limits.first_audio_s
            if heard_until < until:
                until = heard_until
                overdue = Overloaded(f"nothing could be heard within {limits.first_audio_s:g} s")
        stopping = asyncio.ensure_future(stop.wait())
        either: set[asyncio.Future[Any]] = {stopping, coming}
        left_s = until - time.monotonic()
        try:
            await asyncio.wait(either, timeout=left_s, return_when=asyncio.FIRST_COMPLETED)
        finally:
            stopping.cancel()
        if stop.is_set():
            return
        if not coming.done():
            raise overdue
        if coming.cancelled():  # with its listener, of whom Ray tells in a moment; or by itself
            await asyncio.sleep(LEAVING_S)
            raise SynthesisFailed("its source was cancelled", code="replica_lost")


@asynccontextmanager
async def _at_rest(task: "asyncio.Future[T]") -> AsyncGenerator["asyncio.Future[T]", None]:
    """The task has ended when the block has."""
    try:
        yield task
    finally:
        task.cancel()
        await asyncio.wait({task})
        if not task.cancelled():
            task.exception()  # seen, even where a stop came first


class Delivery:
    """What has been handed on of one session."""

    def __init__(self, request: SynthesisRequest) -> None:
        self.started_at = time.monotonic()
        self.prepared_at: float | None = None  # the voice
        self.finish: FinishReason | None = None
        self._request = request
        self._samples = 0
        self._on_its_way_s = 0.0  # sound that was given to whoever listens
        self._dry_s: float | None = None  # when all that was handed on has been played
        self._num_underruns = 0
        self._stalled_s = 0.0
        self._left_s: float | None = None  # when whoever listens was seen to leave
        self._num_tokens = 0
        self._segment = 0
        self._marks = {Mark.RECEIVED: request.received_s}

    @property
    def is_heard(self) -> bool:
        return self._samples > 0

    def claimed(self) -> None:
        self._marks[Mark.CLAIMED] = time.monotonic()

    def add(self, chunk: AudioChunk) -> None:
        self._samples += len(chunk.pcm)
        self._on_its_way_s = len(chunk.pcm) / SAMPLE_RATE
        self._num_tokens = max(self._num_tokens, chunk.num_tokens)
        self._segment = chunk.segment
        self._marks = merged(self._marks, chunk.marks)
        self.finish = chunk.finish

    def handed_on(self) -> None:
        """Whoever asks for the next chunk has done with the last."""
        if self._on_its_way_s:
            now = time.monotonic()
            self._marks.setdefault(Mark.FIRST_BYTE, now)
            self._marks[Mark.LAST_BYTE] = now
            dry_s = now if self._dry_s is None else self._dry_s
            if now > dry_s:
                self._num_underruns += 1
                self._stalled_s += now - dry_s
            self._dry_s = max(now, dry_s) + self._on_its_way_s
            self._on_its_way_s = 0.0

    @contextmanager
    def leaving(self) -> Iterator[None]:
        """Around what a listener's leaving interrupts. The stages, told next, may stop before the
        session's end."""
        try:
            yield
        except (asyncio.CancelledError, GeneratorExit):
            self._left_s = time.monotonic()
            raise

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

    def end(self, stopped: bool, fault: Exception | None) -> SessionEnd:
        """`stopped`: by a cancel. Without it, a fault or a finish, the listener has left."""
        now = time.monotonic()
        if self.finish is not None:
            self.handed_on()
        elif fault is None and not stopped:
            self._marks[Mark.DISCONNECTED] = now if self._left_s is None else self._left_s
        reason = self.finish or (FinishReason.CANCELLED if fault is None else FinishReason.ERROR)
        if reason is FinishReason.CANCELLED:
            self._marks[Mark.AUDIO_STOPPED] = now
        return SessionEnd(
            reason,
            self._samples / SAMPLE_RATE,
            self._num_tokens,
            self._marks,
            self._cause(stopped, fault),
            self._request.is_paced,
            self._num_underruns,
            self._stalled_s,
        )

    def _cause(self, stopped: bool, fault: Exception | None) -> str:
        if fault is not None:
            return fault.code if isinstance(fault, ServeError) else ServeError.code
        if self.finish is FinishReason.ERROR:
            return SynthesisFailed.code
        if stopped or self.finish is FinishReason.CANCELLED:
            return "cancel"
        return "disconnect" if self.finish is None else "finished"
