"""One context of a speech socket: text comes in pieces, one stream of encoded audio goes out.

Each take of the text is a session of its own, and is spoken after the take before it. The context's
id names all of them for a cancel from elsewhere. Everything is sent through the socket's outbox,
which drops the audio of a cancelled context. Knows nothing about frames or other contexts.
"""

import asyncio
import time
from collections.abc import Coroutine, Sequence
from contextlib import aclosing, suppress
from dataclasses import replace
from typing import Protocol

from app.api.context_text import ContextText, Order
from app.api.context_words import ContextWords
from app.api.encoding import SpeechEncoder, chunks_of
from app.api.errors import code_of
from app.api.events import timing_of, usage_of, words_of
from app.api.services import Services
from app.api.speech_job import Source, SpeechJob, SpeechOptions
from app.core import CancelAck, CancelState, FinishReason, Group, Mark, Marks, SessionKey
from app.errors import BadRequest, ReaderStalled, ServeError
from app.sessions.heard import heard
from app.sessions.pacing import Playback
from app.sessions.tasks import cancel_and_wait
from app.spoken_words import Heard, SpokenWord, Transcript
from app.text.takes import Take

_OVER = (CancelState.UNKNOWN, CancelState.ALREADY_DONE)  # the first: its request is on its way


class Outbox(Protocol):
    """What a context may send. A message of a cancelled context is dropped."""

    async def tell(self, context: "SpeechContext", kind: str, **fields: object) -> None: ...

    async def audio(
        self, context: "SpeechContext", encoded: bytes, prebuffer_ms: int | None = None
    ) -> None:
        """`prebuffer_ms`: where playback begins, if known: how long the player waits with it."""


class SpeechContext:
    def __init__(
        self,
        context_id: str,
        number: int,
        session_id: str,  # of the whole context; the ids of its takes begin with it
        options: SpeechOptions,
        *,
        services: Services,
        outbox: Outbox,
        is_binary: bool,
        max_buffer_s: float,
        is_held: bool,
        tells_words: bool = False,
        words_once: bool = False,
        may_be_full: bool = True,
    ) -> None:
        """`is_held`: as in app.core.SynthesisRequest, for each take. `words_once`: a word is not
        told again with better times. `may_be_full` False: who pushes bounds the text."""
        self.context_id = context_id
        self.number = number
        self.options = options
        self.is_binary = is_binary
        self.is_held = is_held
        self.is_cancelled = False  # nothing more is sent
        self.is_done = False  # everything but the message `done` is sent
        self.session_id = session_id
        self._services = services
        self._outbox = outbox
        self._tells_words = tells_words
        self._encoder = SpeechEncoder(options)
        self._encoding = asyncio.Lock()  # bytes are sent in the order in which they are encoded
        self._text = ContextText(
            options.rules,
            max_buffer_s=max_buffer_s,
            max_held_chars=services.sockets.max_held_chars if may_be_full else None,
        )
        self._words = ContextWords(options.speed, options.delay_s, is_once=words_once)
        self._played_ms: float | None = None  # as the client's cancel told it
        self._is_stalled = False
        self._live: SessionKey | None = None
        self._finish = self._flush_finish = FinishReason.STOP  # the other: since the last flush
        self._marks = {Mark.RECEIVED: time.monotonic()}  # over all takes
        self.heard_s = 0.0  # sent so far, as it is heard
        self._playback = Playback(time.monotonic)  # over all takes
        self._prebuffer_ms: int | None = None  # to be told with the next audio
        self._num_takes = self._num_chars = self._num_dropped_chars = 0
        self._unreadable: BadRequest | None = None  # of a take that was left out
        self.num_tokens = 0  # of the takes that have ended

    async def push(self, text: str) -> None:
        """Raises BadRequest if the context is closing, or too much text waits already."""
        if not self._num_takes and not self._text.num_held:
            self._marks = {Mark.RECEIVED: time.monotonic()}  # with the first text
        await self._text.push(text)

    def flush(self) -> None:
        self._text.flush()

    def close(self) -> None:
        """Idempotent. Text that has come is spoken to its end."""
        self._text.close()

    @property
    def audio_s(self) -> float:
        return self.heard_s * self.options.speed  # as sessions count it: at speed 1

    @property
    def is_idle(self) -> bool:
        return self._live is None and self._text.is_idle

    @property
    def owes_sound(self) -> bool:
        return self._live is not None or self._text.is_owed

    @property
    def is_whole(self) -> bool:
        return self._finish is FinishReason.STOP  # no take was cut, or cancelled elsewhere

    async def cancel(self, played_ms: float | None = None) -> CancelAck:
        """What was stopped, and what was heard, over all takes. The context sends nothing after
        this call. `played_ms`: how much of the context's sound the client has played."""
        self.is_cancelled = True
        self._played_ms = played_ms
        sent_ms, told = round(self.heard_s * 1e3, 3), self.heard(played_ms)
        ack = CancelAck(self.context_id, CancelState.STOPPED, sent_ms, self.num_tokens, heard=told)
        if self._live is None:
            return ack
        stopped = await self._services.synthesizer.cancel(self._live)
        return replace(
            ack,
            state=CancelState.STOPPED if stopped.state in _OVER else stopped.state,
            tokens_generated=ack.tokens_generated + stopped.tokens_generated,
            tokens_discarded=stopped.tokens_discarded,
            stop_ms=stopped.stop_ms,
        )

    def heard(self, played_ms: float | None) -> Heard:
        """Of the sound that was sent; `played_ms`: as in `cancel`, whose own counts."""
        return self.heard_at(played_ms if self._played_ms is None else self._played_ms)

    def heard_at(self, played_ms: float | None) -> Heard:
        """The same, whatever a cancel has told."""
        return heard(self._transcript(is_end=self.is_done), played_ms)

    def reader_stalled(self) -> None:
        """The client takes nothing more. The socket cancels the context next."""
        self._is_stalled = True
        if self._live is not None:
            self._services.synthesizer.reader_stalled(self._live)

    async def run(self) -> None:
        """Speaks until the context is closed or cancelled, or until it or one of its sessions is
        cancelled by another route. Raises the errors of the speech."""
        key = SessionKey(self.options.caller.tenant, self.session_id)
        with self._services.synthesizer.group(key) as group:
            speaking = asyncio.ensure_future(self._speak_all())
            try:
                await asyncio.wait({speaking, group.stopped}, return_when=asyncio.FIRST_COMPLETED)
                if group.stopped.done():
                    await self._stop()
            finally:
                await cancel_and_wait(speaking)
                await self._text.stop()
                self._account(group, speaking)
        if not speaking.cancelled():
            speaking.result()
        async with self._encoding:
            await self._send(await self._encoder.finish())
            self.is_done = True  # before `done` waits for its turn: a cancel now comes too late
        await self._outbox.tell(
            self,
            "done",
            finish_reason=self._finish,
            usage=usage_of(self._num_chars, self.num_tokens),
            timing=timing_of(self._marks, self.heard_s),
            dropped_characters=self._num_dropped_chars,
        )

    async def fill(self) -> None:
        """A filler, if sound is still owed once what is being sent is sent."""
        sent_s = self.heard_s
        async with self._encoding:
            if self.heard_s == sent_s and self.owes_sound and not self.is_done:
                await self._outbox.audio(self, await self._encoder.fill())

    async def _stop(self) -> None:
        """The sessions, before the client of the socket is told."""
        self._finish = FinishReason.CANCELLED
        with suppress(ServeError):  # no registry: closing the stream stops the session too
            if self._live is not None:
                await self._services.synthesizer.cancel(self._live)

    def _account(self, group: Group, speaking: "asyncio.Task[None]") -> None:
        group.finish, group.marks = self._finish, self._marks
        group.num_tokens, group.audio_sent_s = self.num_tokens, self.audio_s
        error = None if speaking.cancelled() else speaking.exception()
        is_end = speaking.done() and not speaking.cancelled() and error is None
        is_end = is_end and not self.is_cancelled and self._finish is not FinishReason.CANCELLED
        group.transcript, group.played_ms = self._transcript(is_end=is_end), self._played_ms
        if self._is_stalled:
            group.finish, group.cause = FinishReason.CANCELLED, ReaderStalled.code
        elif self.is_cancelled or self._finish is FinishReason.CANCELLED:
            group.finish, group.cause = FinishReason.CANCELLED, "cancel"
        elif isinstance(error, Exception):
            group.finish, group.cause = FinishReason.ERROR, code_of(error)
        elif speaking.cancelled():
            group.finish, group.cause = FinishReason.CANCELLED, "disconnect"

    async def _speak_all(self) -> None:
        while self._finish is not FinishReason.CANCELLED and not self.is_cancelled:
            order = await self._text.next()
            if order is Order.CLOSE:
                if self._unreadable is not None and not self._num_chars:
                    raise self._unreadable
                break
            if order is Order.FLUSHED:
                async with self._encoding:
                    await self._send(await self._encoder.drain())
                told = {"dropped_characters": self._num_dropped_chars}
                finish, self._flush_finish = self._flush_finish, FinishReason.STOP
                await self._outbox.tell(self, "flushed", finish_reason=finish, **told)
            elif isinstance(order, Take):
                await self._speak(order)

    def _transcript(self, *, is_end: bool) -> Transcript:
        """`is_end`: all sound is sent, or is about to be."""
        sent_s = self._words.begins_s if is_end else self.heard_s
        return self._words.transcript(self._text.whole, sent_s)

    async def _planned(self, take: Take) -> SpeechJob | None:
        """None for a take that is left out."""
        session_id = f"{self.session_id}-{self._num_takes}"
        self._num_takes += 1
        source = Source(self._text.whole, take, self._words.begins_s)
        try:
            return await self._services.planner.job(take.text, self.options, session_id, source)
        except BadRequest as error:
            if error.code == "unsupported_characters":  # the other takes may be readable
                self._unreadable = error
                self._num_dropped_chars += len(take.text.strip())
            elif error.code != "empty_input":  # nothing but markup
                raise
            return None

    async def _speak(self, take: Take) -> None:
        job = await self._planned(take)
        if job is None or self.is_cancelled:
            return
        self._live = job.request.key
        self._words.begin(job.words)
        self._num_chars += job.text.num_chars
        self._num_dropped_chars += job.text.num_dropped_chars
        num_tokens = 0
        try:
            paced = job.paced(is_held=self.is_held, lead_s=self._playback.left_s)
            async with aclosing(chunks_of(self._services, paced)) as chunks:
                async for chunk in chunks:
                    num_tokens = chunk.num_tokens
                    if chunk.prebuffer_s is not None and not self._playback.left_s:
                        self._prebuffer_ms = self._services.prebuffers.told_ms(chunk)
                    async with self._encoding:
                        encoded = await self._encoder.feed(chunk.pcm)
                        self._words.encoded(len(chunk.pcm))
                        news = self._words.news(chunk.finish) if self._tells_words else []
                        await self._hand_over(job.request.key, self._send(encoded, news))
                    if chunk.finish is not None:
                        if chunk.finish is not FinishReason.STOP:  # no later take makes it whole
                            self._finish = self._flush_finish = chunk.finish
                        self._add(chunk.marks)
        finally:
            self._live = None
            self._words.end()
            self.num_tokens += num_tokens

    async def _hand_over(self, key: SessionKey, sending: Coroutine[object, object, None]) -> None:
        try:
            await self._services.synthesizer.hand_over(key, sending)
        except ReaderStalled:
            self.reader_stalled()
            raise

    def _add(self, take: Marks) -> None:
        """The first byte of a context is that of its first take, the last byte that of its last."""
        if Mark.FIRST_BYTE in take:
            self._marks.setdefault(Mark.FIRST_BYTE, take[Mark.FIRST_BYTE])
            self._marks[Mark.LAST_BYTE] = take[Mark.LAST_BYTE]

    async def _send(self, encoded: bytes, words: Sequence[SpokenWord] = ()) -> None:
        audio_s = max(self.heard_s, self._encoder.audio_s)
        if words:
            await self._outbox.tell(self, "words", **words_of(self._encoder.fillers.heard(words)))
        if encoded:
            told_ms, self._prebuffer_ms = self._prebuffer_ms, None
            await self._outbox.audio(self, encoded, told_ms)
            self._playback.taken(audio_s - self.heard_s, (told_ms or 0) / 1e3)
            self.heard_s = audio_s
