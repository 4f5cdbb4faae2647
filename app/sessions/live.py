"""The sessions whose sound passes through this process, from claim to finish.

A session ends because the audio ran out, a cancel arrived, the listener left, the deadline passed
or an error was raised. Every end takes one path, which closes the source of chunks once and
finishes the session once. A paced session goes on when the transport has taken its last chunk, and
little faster than it plays: sound that a listener who left had not heard was not sent, and the
queue to a slow listener stays short. Knows nothing about the source of the chunks, nor where the
registry runs.
"""

import asyncio
import contextlib
import sys
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine, Iterator
from contextlib import aclosing
from dataclasses import replace
from functools import partial
from typing import NamedTuple, TypeVar

from app.config import Limits
from app.core import AudioChunk, FinishReason, SessionKey, SynthesisRequest, VoiceRef
from app.errors import (
    DuplicateSession,
    Overloaded,
    ReaderStalled,
    ServeError,
    SynthesisFailed,
)
from app.sessions.delivery import Delivery
from app.sessions.groups import SessionGroups
from app.sessions.registry_client import RegistryClient
from app.sessions.smooth_admission import Work
from app.sessions.table import Claim, SessionEnd
from app.sessions.tasks import TaskSet, cancel_and_wait
from app.spoken_words import WordAccount
from app.text.duration import predicted_s

T = TypeVar("T")
Stop = asyncio.Future[str]  # done: the session was stopped, with the cause
ASK_AGAIN_S = 0.2  # a session that waits for its turn
LEAVING_S = 1.0  # Ray may cancel a listener's calls this long before the listener
OpenChunks = Callable[[SynthesisRequest], AsyncGenerator[AudioChunk, None]]
Prepare = Callable[[VoiceRef], Awaitable[None]]  # a voice, before its first use
Load = Callable[[], Awaitable[None]]  # the model, where it is out of memory


_STALLS = (
    "running streams would stall beside this session, and its turn does not come within "
    "limits.first_audio_s (limits.admit: smooth; /health tells the capacity)"
)
_NO_ROOM = {  # message, code
    Claim.DRAINING: ("the server is about to stop", "draining"),
    Claim.FULL: ("no slot will be free in time", "overloaded"),
    Claim.BUSY: (_STALLS, "overloaded"),
    Claim.NO_TURN: (_STALLS, "overloaded"),
    Claim.UNLOADED: ("the model is not loaded", "model_unloaded"),
}
_FULL = (Claim.FULL, Claim.BUSY, Claim.NO_TURN)  # time helps


class _Live(NamedTuple):
    stop: Stop
    delivery: Delivery


class LiveSessions:
    """`stop` may be called for any id; it acts on the sessions and groups that are live here."""

    def __init__(
        self,
        registry: RegistryClient,
        limits: Limits,
        now: Callable[[], float] = time.monotonic,
        load: Load | None = None,
    ) -> None:
        """`load`: None where a session is refused while the model is out of memory."""
        self._registry = registry
        self._limits = limits
        self._now = now
        self._load = load
        self._live: dict[SessionKey, _Live] = {}
        self.groups = SessionGroups(registry)
        self._claims = TaskSet()

    def __len__(self) -> int:
        return len(self._live)

    def keys(self) -> frozenset[SessionKey]:
        return frozenset(self._live)

    def stop(self, key: SessionKey, cause: str = "cancel") -> None:
        self.groups.stop(key)
        if (live := self._live.get(key)) is not None and not live.stop.done():
            live.stop.set_result(cause)

    def reader_stalled(self, key: SessionKey) -> None:
        self.stop(key, ReaderStalled.code)

    def fail(self, error: ServeError) -> None:
        """Every live session ends with this error."""
        for live in self._live.values():
            if not live.stop.done():
                live.stop.set_exception(error)
                live.stop.exception()  # asyncio logs an exception that nobody has seen

    @contextlib.contextmanager
    def preparing(self, key: SessionKey) -> Iterator[None]:
        """While a voice is prepared for a session that had begun: the time does not count against
        `limits.first_audio_s`."""
        live = self._live.get(key)
        if live is not None:
            live.delivery.prepared_s = None
        try:
            yield
        finally:
            if live is not None:
                live.delivery.prepared()

    async def hand_over(self, key: SessionKey, sending: Coroutine[object, object, None]) -> None:
        """As `app.core.Synthesizer.hand_over`. Raises what `sending` raises."""
        if (live := self._live.get(key)) is None:
            await sending
            return
        working = asyncio.ensure_future(sending)
        futures: set[asyncio.Future[None] | Stop] = {working, live.stop}
        try:
            await asyncio.wait(futures, return_when=asyncio.FIRST_COMPLETED)
        finally:
            was_taken = working.done()
            await cancel_and_wait(working)
        if was_taken:
            working.result()
        else:
            live.delivery.abandoned()

    async def speak(
        self,
        request: SynthesisRequest,
        open_chunks: OpenChunks,
        prepare: Prepare | None = None,
        words: WordAccount | None = None,
    ) -> AsyncGenerator[AudioChunk, None]:
        """The sound of `open_chunks` until it ends or the session is stopped, then an empty chunk
        with the finish and all marks. `words`: as in `app.synthesizer.Synthesizer.speak`.

        Raises DuplicateSession; Overloaded while draining or full, where the model is not loaded
        within `limits.first_audio_s`, and where no sound comes within `limits.first_audio_s` after
        the voice is prepared; SynthesisFailed at the deadline.
        """
        key = request.key
        if key in self._live:  # a registry that does not answer grants every claim
            raise DuplicateSession(f"session {key.session_id} is live", param="X-Request-ID")
        stop, delivery = live = _Live(
            asyncio.get_running_loop().create_future(), Delivery(request, self._now, words)
        )
        self._live[key] = live
        is_claimed = False
        try:
            if await self._claim(request, live) is Claim.CANCELLED:
                self.stop(key)
            is_claimed = True
            delivery.claimed()
            if prepare is not None and not stop.done():
                await self._unless_stopped(prepare(request.voice), live)
            delivery.prepared()
            async with aclosing(open_chunks(request)) as chunks:
                while delivery.finish is None:
                    chunk = await self._next(chunks, live)
                    delivery.add(chunk)
                    if len(chunk.pcm):
                        with delivery.leaving():
                            yield chunk if chunk.finish is None else replace(chunk, finish=None)
                        delivery.sent()
                if stop.done():  # while the last chunk was sent
                    delivery.cancel()
                yield delivery.last_chunk(delivery.finish)
        finally:
            del self._live[key]
            if is_claimed:
                error = sys.exception()
                error = error if isinstance(error, Exception) else None  # else the listener left
                self._registry.finish(key, delivery.end(_cause_of(stop), error))

    async def _claim(self, request: SynthesisRequest, live: _Live) -> Claim:
        """GRANTED or CANCELLED."""
        key = request.key
        claim = await self._ask(request)
        if claim is Claim.UNLOADED and self._load is not None:
            await self._unless_stopped(self._until_loaded(self._load), live)
            claim = Claim.CANCELLED if live.stop.done() else await self._ask(request)
        if claim is Claim.BUSY:
            claim = await self._turn(request, live)
        if claim is Claim.DUPLICATE:
            message = f"session id {key.session_id} has been used already"
            raise DuplicateSession(message, param="X-Request-ID")
        if claim in _NO_ROOM:
            message, code = _NO_ROOM[claim]
            wait_s = await self._registry.wait_s(key) if claim in _FULL else 0.0
            raise Overloaded(message, code=code, retry_after_s=self._limits.told_wait_s(wait_s))
        return claim

    async def _turn(self, request: SynthesisRequest, live: _Live) -> Claim:
        """The claim once the session's turn has come; BUSY where that takes too long."""
        until_s = live.delivery.started_s + self._limits.first_audio_s
        claim = Claim.BUSY
        while claim is Claim.BUSY and self._now() < until_s and not live.stop.done():
            with live.delivery.leaving():
                await asyncio.wait({live.stop}, timeout=ASK_AGAIN_S)
            claim = await self._ask(request)
        return Claim.CANCELLED if live.stop.done() else claim

    async def _ask(self, request: SynthesisRequest) -> Claim:
        """A claim that is granted after the listener left is given back."""
        work = Work(
            predicted_s(sum(map(len, request.segments))),
            request.is_paced,
            request.speed,
            goes_on=request.lead_s > 0,
        )
        return await self._claims.ask(
            self._registry.claim(request.key, work), partial(self._give_back, request.key)
        )

    async def _until_loaded(self, load: Load) -> None:
        """Returns when the model is loaded, or when the session has waited long enough."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._limits.first_audio_s):
                await load()

    def _give_back(self, key: SessionKey, claim: Claim) -> None:
        if claim is Claim.GRANTED:
            self._registry.finish(key, SessionEnd(FinishReason.CANCELLED, cause="disconnect"))

    async def _next(self, chunks: AsyncGenerator[AudioChunk, None], live: _Live) -> AudioChunk:
        """The next chunk when it is due, or the chunk that says CANCELLED if a stop comes
        first."""
        stop, delivery = live
        chunk = None
        if not stop.done():
            chunk = await self._unless_stopped(anext(chunks, None), live)
        if chunk is not None:
            wait_s = delivery.wait_s(chunk, self._limits.send_ahead_s)
            if wait_s > 0:
                with delivery.leaving():
                    await asyncio.wait({stop}, timeout=wait_s)
        if stop.done():
            stop.result()  # raises the error of `fail`
            return delivery.last_chunk(FinishReason.CANCELLED)
        if chunk is None:
            raise SynthesisFailed("the stream ended without a finish")
        return chunk

    async def _unless_stopped(self, work: Awaitable[T], live: _Live) -> T | None:
        """The result of `work`, or None if a stop comes first; `work` has ended then. Raises what
        `speak` does where neither comes in time."""
        stop, delivery = live
        working = asyncio.ensure_future(work)
        futures: set[asyncio.Future[T] | Stop] = {working, stop}
        try:
            with delivery.leaving():
                while not (working.done() or stop.done()):
                    left_s = self._until_s(delivery) - self._now()
                    if left_s <= 0:
                        raise self._overdue(delivery)
                    left_s = min(left_s, self._limits.first_audio_s)  # `preparing` moves the limit
                    await asyncio.wait(futures, timeout=left_s, return_when=asyncio.FIRST_COMPLETED)
                if stop.done():
                    return None
                if working.cancelled():  # with its listener, as Ray tells in a moment, or by itself
                    await asyncio.sleep(LEAVING_S)
                    raise SynthesisFailed(
                        "the source of the sound was cancelled", code="replica_lost"
                    )
            return working.result()
        finally:
            await cancel_and_wait(working)

    def _deadline_s(self, delivery: Delivery) -> float:
        """A paced session takes as long as it plays, whatever its text and its speed."""
        return delivery.started_s + self._limits.request_timeout_s + delivery.playing_s

    def _until_s(self, delivery: Delivery) -> float:
        until_s = self._deadline_s(delivery)
        if delivery.prepared_s is None or delivery.is_heard:
            return until_s
        return min(until_s, delivery.prepared_s + self._limits.first_audio_s)

    def _overdue(self, delivery: Delivery) -> ServeError:
        limits = self._limits
        if self._until_s(delivery) == self._deadline_s(delivery):
            message = f"the session was not finished within {limits.request_timeout_s:g} s"
            return SynthesisFailed(message, code="timeout")
        return Overloaded(f"no sound could be made within {limits.first_audio_s:g} s")


def _cause_of(stop: Stop) -> str | None:
    return stop.result() if stop.done() and stop.exception() is None else None
