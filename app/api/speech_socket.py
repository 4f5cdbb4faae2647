"""A WebSocket for speech: several contexts on one connection, in the client's dialect.

One task receives for as long as the connection lives, so that a client that leaves is noticed
while the server only sends. Each context speaks in a task of its own, and so is each answer sent:
a client that does not read can still stop what it has asked for. docs/websocket.md describes our
own protocol; app/api/dialects has those of other vendors. Knows nothing about audio or text.
"""

import asyncio
import logging
from collections.abc import Coroutine
from contextlib import suppress
from dataclasses import replace

from fastapi import WebSocket
from starlette.types import Message
from starlette.websockets import WebSocketDisconnect

from app.api.dialects.dialect import Dialect, Opening, Reply, Step
from app.api.errors import code_of
from app.api.gaps import fill_gaps
from app.api.idle_clock import IdleClock
from app.api.services import Services
from app.api.socket_cancels import SocketCancels
from app.api.socket_messages import MAX_BUFFER_MS, Cancel, Close, Flush, Text
from app.api.socket_outbox import SocketOutbox
from app.api.speech_context import SpeechContext
from app.auth.api_keys import Caller
from app.core import FinishReason, SessionKey
from app.errors import BadRequest, ReaderStalled, ServeError
from app.sessions.tasks import TaskSet, cancel_and_wait

log = logging.getLogger(__name__)

TASKS_PER_CONTEXT = 8  # a client with more does not read its acknowledgements
NORMAL, POLICY, TOO_BIG, FAILED = 1000, 1008, 1009, 1011  # close codes, RFC 6455
_NO_FAULTS = ("too_many_contexts", "buffer_full")  # of a client that sends valid messages


class SpeechSocket:
    """One connection that was accepted."""

    def __init__(
        self,
        websocket: WebSocket,
        services: Services,
        caller: Caller,
        socket_id: str,
        dialect: Dialect,
    ) -> None:
        """`socket_id` names all sessions on this socket; their ids begin with it."""
        self._websocket = websocket
        self._services = services
        self._bounds = services.sockets
        self._caller = caller
        self._socket_id = socket_id
        self._open: dict[str, SpeechContext] = {}
        self._num_started = 0
        self._num_errors = 0
        self._audio_s = 0.0  # of the contexts that have ended, as sessions count it
        self._num_tokens = 0  # of the same
        self._is_closing = False
        self._idle = IdleClock(services.sockets.idle_s)
        self._incoming: asyncio.Task[Message] | None = None
        self._tasks = TaskSet()
        self._running: dict[SpeechContext, asyncio.Task[None]] = {}
        self._dialect = dialect
        self._outbox = SocketOutbox(websocket, dialect)
        self._cancels = SocketCancels(services, self._outbox, caller, socket_id)

    async def serve(self) -> None:
        """Until the client leaves or closes, the server closes, or the socket is cancelled."""
        receiving = self._receiving = asyncio.ensure_future(self._receive_all())
        key = SessionKey(self._caller.tenant, self._socket_id)
        with self._services.synthesizer.group(key) as group:
            try:
                await asyncio.wait({receiving, group.stopped}, return_when=asyncio.FIRST_COMPLETED)
                if group.stopped.done():
                    group.finish, group.cause = FinishReason.CANCELLED, "cancel"
                    await self._stop_all()
            finally:
                incoming = () if self._incoming is None else (self._incoming,)
                await cancel_and_wait(receiving, *self._tasks.all(), *incoming)
                group.audio_sent_s, group.num_tokens = self._audio_s, self._num_tokens
        if group.stopped.done():
            code = FAILED if self._dialect.ends_failed else NORMAL
            with suppress(WebSocketDisconnect, ReaderStalled):
                await self._outbox.close(code, "cancelled")
        elif not receiving.cancelled():
            receiving.result()

    async def _stop_all(self) -> None:
        """By another connection. A vendor's client is told of each context that it is not whole."""
        contexts = [context for context in self._running if not context.is_done]
        untold = contexts if self._dialect.ends_failed else []
        told = [self._outbox.cancelled_elsewhere(context) for context in untold]
        await asyncio.gather(*(context.cancel() for context in contexts), return_exceptions=True)
        await asyncio.gather(*told, return_exceptions=True)

    # Receiving

    async def _receive_all(self) -> None:
        try:
            while (frame := await self._receive()) is not None:
                await self._handle(frame)
        except WebSocketDisconnect:
            message = "socket %s: the client left"
            log.info(message, self._socket_id, extra={"session": self._socket_id})

    async def _receive(self) -> str | None:
        """The next frame; None once the socket was closed because it was idle.

        A connection whose `receive` fails counts as left: Ray Serve's `receive` sometimes raises
        its own TaskCancelledError on a disconnect (2.60, 1 in 20).
        """
        incoming = self._incoming = asyncio.ensure_future(self._websocket.receive())
        while not incoming.done():
            left_s = self._idle.left_s(is_idle=all(each.is_idle for each in self._open.values()))
            if left_s == 0:
                await self._close(NORMAL, "idle")
                return None
            await asyncio.wait({incoming}, timeout=left_s)
        is_lost = incoming.cancelled() or incoming.exception() is not None
        if is_lost or incoming.result()["type"] == "websocket.disconnect":
            raise WebSocketDisconnect
        frame: str | None = incoming.result().get("text")
        return frame or ""  # for a binary frame, which is refused like an empty one

    async def _handle(self, frame: str) -> None:
        context_id = None
        if len(frame.encode("utf-8", "surrogatepass")) > self._bounds.max_frame_bytes:
            await self._close(TOO_BIG, "the frame is too big")
            return
        if len(self._tasks) > TASKS_PER_CONTEXT * self._bounds.max_contexts:
            await self._close(POLICY, "the client does not read")
            return
        try:
            for step in self._dialect.read(frame):
                context_id = step.context_id
                if not isinstance(step, Cancel) or context_id in self._open:
                    self._idle.use()
                await self._obey(step)
        except ServeError as error:
            self._num_errors += error.code not in _NO_FAULTS
            self._services.refused(error.code)
            told = self._spawn(self._outbox.event("error", context_id=context_id, error=error))
            if self._dialect.ends_failed and context_id in self._open:
                await self._obey(Cancel(type="cancel", context_id=context_id))
            if self._num_errors > self._bounds.max_faults:  # closed after the answers
                await self._spawn(self._close(POLICY, "too many invalid messages"))
            elif self._dialect.closes_failed:
                await self._spawn(self._finish({told}, FAILED, error.code))

    async def _obey(self, step: Step) -> None:
        match step:
            case Opening():
                await self._start(step)
            case Reply():
                self._spawn(self._outbox.frames((step.frame,)))
            case Text():
                await self._find(step.context_id).push(step.text)
            case Flush():
                self._find(step.context_id).flush()
            case Cancel():  # the next turn may use the id at once
                context = self._open.pop(step.context_id, None)
                if context is None:
                    late = self._cancels.acknowledge_late(step.context_id, step.played_ms)
                    self._spawn(late)
                else:
                    self._spawn(self._cancel(context, step.played_ms))
            case Close(context_id=None):
                self._is_closing = True
                for context in self._open.values():
                    context.close()
                self._spawn(self._finish(set(self._tasks.all())))
            case Close(context_id=str(context_id)):
                self._find(context_id).close()

    async def _start(self, opening: Opening) -> None:
        message = opening.start
        if self._is_closing:
            raise BadRequest("type: the socket is closing, and opens no more", param="type")
        if message.context_id in self._open:
            raise BadRequest("context_id: this context is open already", param="context_id")
        if len(self._open) >= self._bounds.max_contexts:
            limit = self._bounds.max_contexts
            reason = f"context_id: {limit} contexts are open already, which is the limit"
            raise BadRequest(reason, code="too_many_contexts")
        planner = self._services.planner
        if message.model is not None:
            planner.models.check(message.model)
        pronunciations = self._services.pronunciations
        voice, kept = await pronunciations.of_speech(self._caller, message.voice)
        options = planner.options(message, voice, self._caller, default_format="pcm", kept=kept)
        options = replace(options, sound=opening.sound)
        number = self._num_started
        self._num_started += 1
        buffer_ms = MAX_BUFFER_MS if message.max_buffer_ms is None else message.max_buffer_ms
        context = SpeechContext(
            message.context_id,
            number,
            f"{self._socket_id}-{number}",
            options,
            services=self._services,
            outbox=self._outbox,
            is_binary=message.audio == "binary",
            max_buffer_s=buffer_ms / 1e3,
            is_held=planner.is_held(message.start),
            tells_words=message.timestamps is not None,
            words_once=opening.words_once,
        )
        self._open[message.context_id] = context
        running = self._running[context] = self._spawn(self._run(context))
        running.add_done_callback(lambda _: self._running.pop(context))
        if opening.fills_gaps:
            filling = self._spawn(fill_gaps(context, context.fill))
            running.add_done_callback(lambda _: filling.cancel())

    def _find(self, context_id: str) -> SpeechContext:
        if context_id not in self._open:
            raise BadRequest("context_id: no context with this id is open", param="context_id")
        return self._open[context_id]

    # Working

    def _spawn(self, work: Coroutine[object, object, None]) -> "asyncio.Task[None]":
        task = self._tasks.start(self._watched(work))
        task.add_done_callback(lambda _: work.close())  # in case it was cancelled before it began
        return task

    async def _watched(self, work: Coroutine[object, object, None]) -> None:
        try:
            await work
        except WebSocketDisconnect:
            self._receiving.cancel()
        except ReaderStalled as error:
            named = {"session": self._socket_id}
            log.info("socket %s: %s", self._socket_id, error.message, extra=named)
            for context in self._running:
                context.reader_stalled()
            self._receiving.cancel()

    async def _run(self, context: SpeechContext) -> None:
        options = context.options
        await self._outbox.tell(
            context,
            "started",
            response_format=options.format_name,
            sample_rate=options.sample_rate,
            seed=options.sampling.seed,
            prebuffer_ms=self._services.prebuffers.expected_ms(is_held=context.is_held),
            session_id=context.session_id,
        )
        speaking = asyncio.ensure_future(context.run())
        try:
            await asyncio.wait({speaking})
        finally:
            await cancel_and_wait(speaking)
            self._audio_s += context.audio_s
            self._num_tokens += context.num_tokens
            if self._open.get(context.context_id) is context:
                del self._open[context.context_id]
            self._cancels.ended(context)
        error = None if speaking.cancelled() else speaking.exception()
        if isinstance(error, WebSocketDisconnect | ReaderStalled):
            raise error
        if isinstance(error, Exception):
            code = code_of(error)
            self._services.refused(code)
            unexpected = None if isinstance(error, ServeError) else error
            named = {"session": context.session_id}
            message = "socket %s: a context failed: %s"
            log.error(message, self._socket_id, code, exc_info=unexpected, extra=named)
            await self._outbox.failed(context, error)
        is_whole = error is None and context.is_whole
        if self._dialect.closes_failed and not is_whole and not context.is_cancelled:
            self._spawn(self._close(FAILED, "the speech is not whole"))

    async def _cancel(self, context: SpeechContext, played_ms: float | None) -> None:
        """Acknowledges the cancel in every case, once the context has stopped."""
        ack = await self._cancels.stop(context, played_ms)
        if not context.is_done and (running := self._running.get(context)) is not None:
            running.cancel()
        await self._cancels.acknowledge(ack, context)

    async def _finish(
        self, tasks: "set[asyncio.Task[None]]", code: int = NORMAL, reason: str = ""
    ) -> None:
        if tasks:
            await asyncio.wait(tasks)
        await self._close(code, reason)

    async def _close(self, code: int, reason: str) -> None:
        """What still speaks is stopped first: the client may not read its end."""
        for running in list(self._running.values()):
            running.cancel()
        await self._outbox.close(code, reason)
        self._receiving.cancel()
