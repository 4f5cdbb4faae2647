"""One context of a speech socket: text in pieces in, one stream of encoded audio out.

Each take of the text is a session of its own, spoken after the one before. Everything that is sent
goes through the socket's outbox, which sends no audio of a context that was cancelled. Knows
nothing about frames or other contexts.
"""

import asyncio
import logging
from contextlib import aclosing
from dataclasses import replace
from enum import Enum, auto
from typing import Protocol

from app.api.encoding import Progress, fed, opened, sound_of
from app.api.services import Services
from app.api.speech import usage_of
from app.api.speech_job import SpeechOptions, build_job, paced
from app.audio.formats import AudioStream
from app.auth.api_keys import Caller
from app.core import CancelAck, CancelState, FinishReason, SessionKey
from app.errors import BadRequest
from app.text.incremental import IncrementalText

log = logging.getLogger(__name__)

MAX_ORDERS = 1000


class Outbox(Protocol):
    """What a context may send. Both are dropped once the context is cancelled."""

    async def tell(self, context: "SpeechContext", kind: str, **fields: object) -> None: ...

    async def audio(self, context: "SpeechContext", encoded: bytes) -> None: ...


class _Order(Enum):
    NUDGE = auto()  # text has come, too little to be spoken
    FLUSHED = auto()
    CLOSE = auto()


class SpeechContext:
    def __init__(
        self,
        context_id: str,
        number: int,
        session_id: str,  # takes are sessions named after it
        caller: Caller,
        options: SpeechOptions,
        *,
        services: Services,
        outbox: Outbox,
        is_binary: bool,
        max_buffer_s: float,
    ) -> None:
        self.context_id = context_id
        self.number = number
        self.options = options
        self.is_binary = is_binary
        self.is_cancelled = False  # nothing more is sent
        self.is_done = False  # everything was
        self._session_id = session_id
        self._caller = caller
        self._services = services
        self._max_held_chars = services.sockets.max_held_chars
        self._outbox = outbox
        self._max_buffer_s = max_buffer_s
        self._text = IncrementalText(options.language, options.max_segment_chars)
        self._orders: asyncio.Queue[str | _Order] = asyncio.Queue()
        self._buffered_since_s = 0.0  # when the first came of the text that is in no take yet
        self._num_waiting_chars = 0  # in takes that are not spoken yet
        self._is_closing = False
        self._live: SessionKey | None = None
        self._num_takes = 0
        self._progress = Progress()  # over all takes
        self._num_chars = 0
        self._num_tokens = 0

    def push(self, text: str) -> None:
        """Raises BadRequest if the context is closing, or holds too much already."""
        self._refuse_if_closing()
        held = len(self._text) + self._num_waiting_chars
        if held + len(text) > self._max_held_chars:
            raise BadRequest(
                f"text: {held} characters wait to be spoken; at most {self._max_held_chars} may",
                param="text",
                code="buffer_full",
            )
        if not self._num_takes and not held:
            self._progress = Progress()  # times count from the first text
        was_empty = not len(self._text)
        takes = self._text.push(text)
        if takes or was_empty:  # what is left came now
            self._buffered_since_s = asyncio.get_running_loop().time()
        self._order(takes)
        if not takes and self._orders.empty():
            self._orders.put_nowait(_Order.NUDGE)

    def flush(self) -> None:
        self._refuse_if_closing()
        if self._orders.qsize() >= MAX_ORDERS:
            message = f"type: {MAX_ORDERS} takes and flushes wait already"
            raise BadRequest(message, param="type", code="buffer_full")
        self._order(self._text.flush())
        self._orders.put_nowait(_Order.FLUSHED)

    def close(self) -> None:
        """Idempotent. What has come is spoken to its end."""
        if not self._is_closing:
            self._is_closing = True
            self._order(self._text.flush())
            self._orders.put_nowait(_Order.CLOSE)

    @property
    def is_idle(self) -> bool:
        return self._live is None and self._orders.empty()

    async def cancel(self) -> CancelAck:
        """What was stopped, over all takes. From this call on nothing of it is sent."""
        self.is_cancelled = True
        sent_ms = round(self._progress.audio_s * 1e3, 3)
        ack = CancelAck(self.context_id, CancelState.STOPPED, sent_ms, self._num_tokens)
        if self._live is None:
            return ack
        told = await self._services.synthesizer.cancel(self._live)
        # unknown: its request is on its way, and finds itself cancelled
        is_over = told.state in (CancelState.UNKNOWN, CancelState.ALREADY_DONE)
        return replace(
            ack,
            state=CancelState.STOPPED if is_over else told.state,
            tokens_generated=ack.tokens_generated + told.tokens_generated,
            tokens_discarded=told.tokens_discarded,
            stop_ms=told.stop_ms,
        )

    async def run(self) -> None:
        """Speak until the context is closed or cancelled. Raises what the speech raises."""
        encoder = await opened(self.options)
        while (order := await self._next()) is not _Order.CLOSE and not self.is_cancelled:
            if order is _Order.FLUSHED:
                await self._outbox.tell(self, "flushed")
            elif isinstance(order, str):
                self._num_waiting_chars -= len(order)
                await self._speak(order, encoder)
        if encoder.num_samples:
            await self._send(encoder, await asyncio.to_thread(encoder.finish))
        await self._outbox.tell(
            self,
            "done",
            finish_reason=self._progress.finish or FinishReason.STOP,
            usage=usage_of(self._num_chars, self._num_tokens),
            timing=self._progress.timing_ms(),
        )
        self.is_done = True

    def _refuse_if_closing(self) -> None:
        if self._is_closing:
            raise BadRequest("context_id: it takes no more text", param="context_id")

    def _order(self, takes: list[str]) -> None:
        for take in takes:
            self._num_waiting_chars += len(take)
            self._orders.put_nowait(take)

    async def _next(self) -> str | _Order:
        """What to do now. Text that waits too long for the end of its sentence is spoken as it
        is: whoever sends it may have stopped to think."""
        while True:
            until_s = self._buffered_since_s + self._max_buffer_s if len(self._text) else None
            try:
                async with asyncio.timeout_at(until_s):
                    order = await self._orders.get()
            except TimeoutError:
                self._order(self._text.flush())
                continue
            if order is not _Order.NUDGE:
                return order

    async def _speak(self, take: str, encoder: AudioStream) -> None:
        session_id = f"{self._session_id}-{self._num_takes}"
        self._num_takes += 1
        try:
            job = await asyncio.to_thread(
                build_job, take, self.options, self._caller, session_id, self._services.limits
            )
        except BadRequest as fault:
            if fault.code == "empty_input":  # nothing is left of it without its marks
                return
            raise
        if self.is_cancelled:
            return
        key = self._live = job.request.key
        told = Progress()
        try:
            async with aclosing(sound_of(self._services, paced(job), told)) as sound:
                async for pcm in sound:
                    await self._send(encoder, await fed(encoder, pcm))
        finally:
            self._live = None
            self._num_tokens += told.num_tokens
            self._num_chars += job.script.num_chars
            self._progress.finish = told.finish
            self._log(key, told)

    async def _send(self, encoder: AudioStream, encoded: bytes) -> None:
        if encoded:
            self._progress.heard(encoder.audio_s)
            await self._outbox.audio(self, encoded)

    def _log(self, key: SessionKey, told: Progress) -> None:
        log.info(
            "session %s: %s, %d tokens", key.session_id, told.finish or "broken", told.num_tokens
        )
