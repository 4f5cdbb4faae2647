"""The answer to a speech request, for every kind of body.

Nothing is sent before there is sound, so an error before the first sound becomes a status code and
200 always carries audio. A later error breaks the body off, in a stream of events after an event
that tells the error. The session's generator is closed before the last bytes are sent: a client
that has read the end finds the session finished. A stop does not wait for the client to read. Knows
nothing about models, nor about the source of the sound.
"""

import logging
from collections.abc import AsyncGenerator
from contextlib import AbstractAsyncContextManager, aclosing, asynccontextmanager
from functools import partial
from urllib.parse import quote

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from app.api.body_gaps import BodyGaps
from app.api.connection import while_connected
from app.api.encoding import chunks_of
from app.api.errors import code_of
from app.api.prebuffer import PREBUFFER
from app.api.services import Services
from app.api.slow_readers import PART_BYTES
from app.api.speech_bodies import Body, StreamBroken
from app.api.speech_job import SpeechJob
from app.core import SAMPLE_RATE, AudioChunk, FinishReason
from app.errors import BadRequest, ReaderStalled

log = logging.getLogger(__name__)

CANCELLED = "cancelled"  # code of an error
FINISH = "X-Finish-Reason"  # of an answer that is sent when all of it is made
DROPPED = "X-Dropped-Characters"  # of the text: the model cannot read them, or they are no words


def headers_of(services: Services, job: SpeechJob) -> dict[str, str]:
    """What was made, and how."""
    return {
        "X-Model": quote(services.synthesizer.card().name),
        "X-Voice": quote(job.request.voice.name),
        "X-Sample-Rate": str(job.options.sample_rate),
        "X-Seed": str(job.request.sampling.seed),
        DROPPED: str(job.text.num_dropped_chars),
    }


class SpeechResponse(Response):
    """Speaks the job while its context is open. The status is 204 until there is sound."""

    def __init__(
        self,
        services: Services,
        job: AbstractAsyncContextManager[SpeechJob],
        body: Body,
        *,
        is_whole: bool = False,
        fills_gaps: bool = False,
    ) -> None:
        """`is_whole`: the client takes a clean end for the whole speech. Speech that another
        connection has cancelled is then a 400 before its first byte, and breaks off after it.
        `fills_gaps`: silence is sent where sound is late, once the first sound is out."""
        super().__init__(status_code=204, headers={"Cache-Control": "no-store"})
        self._services = services
        self._job = job
        self._speech = body
        self._is_whole = is_whole
        self._fills_gaps = fills_gaps
        self._is_begun = False  # the headers are out

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async with self._job as job:
            self.headers["X-Accel-Buffering"] = "no"  # some proxies then pass each chunk on at once
            self.headers.update(headers_of(self._services, job))
            await while_connected(self._speak(job, send), receive)

    async def _speak(self, job: SpeechJob, send: Send) -> None:
        try:
            async with self._chunks(job, send) as chunks:
                part = await self._until_last(chunks, job, send)
            await self._send_last(part, send)
        except ReaderStalled as error:
            log.info("%s", error.message, extra={"session": job.request.key.session_id})
            raise StreamBroken(error.message) from error
        except StreamBroken as broken:
            if broken.told:
                await self._send(broken.told, send)
            raise

    @asynccontextmanager
    async def _chunks(
        self, job: SpeechJob, send: Send
    ) -> AsyncGenerator[AsyncGenerator[AudioChunk, None], None]:
        async with aclosing(chunks_of(self._services, job)) as chunks:
            if not self._fills_gaps:
                yield chunks
                return
            gaps = BodyGaps(partial(self._fill, job, send))
            async with gaps.filled(), aclosing(_owed(chunks, gaps, job)) as owed:
                yield owed

    async def _until_last(
        self, chunks: AsyncGenerator[AudioChunk, None], job: SpeechJob, send: Send
    ) -> bytes:
        """The last bytes of the body, once all others are sent."""
        part, is_last = await self._next_part(chunks, job)
        while not is_last:
            await self._hand_over(part, job, send)
            part, is_last = await self._next_part(chunks, job)
        return part

    async def _fill(self, job: SpeechJob, send: Send) -> None:
        if self._is_begun and (part := await self._speech.fill()):
            await self._hand_over(part, job, send)

    async def _hand_over(self, part: bytes, job: SpeechJob, send: Send) -> None:
        synthesizer, key = self._services.synthesizer, job.request.key
        try:
            await synthesizer.hand_over(key, self._send(part, send))
        except ReaderStalled:
            synthesizer.reader_stalled(key)
            raise

    async def _next_part(
        self, chunks: AsyncGenerator[AudioChunk, None], job: SpeechJob
    ) -> tuple[bytes, bool]:
        """The next bytes of the body, and whether they are the last."""
        try:
            while (chunk := await anext(chunks)).finish is None:
                if (wait_ms := self._services.prebuffers.told_ms(chunk)) is not None:
                    self.headers[PREBUFFER] = str(wait_ms)
                if part := await self._speech.feed(chunk):
                    return part, False
            if self._is_whole and chunk.finish is FinishReason.CANCELLED:
                raise BadRequest("the speech was cancelled by another request", code=CANCELLED)
            if not self._is_begun and chunk.finish is not None:
                self.headers[FINISH] = chunk.finish
            return await self._speech.end(chunk), True
        except ReaderStalled:  # of a filler
            raise
        except Exception as error:  # of any kind: the listener must be told
            if not self._is_begun:
                raise  # a status code tells it
            session_id = job.request.key.session_id
            code = code_of(error)
            if code != CANCELLED:
                log.exception("session %s failed", session_id, extra={"session": session_id})
                self._services.refused(code)
            message = f"the speech ended early: {type(error).__name__}"
            raise StreamBroken(message, self._speech.broken(error)) from error

    async def _send_last(self, part: bytes, send: Send) -> None:
        if part and not self._is_begun:
            self.headers["Content-Length"] = str(len(part))
        while len(part) > PART_BYTES:
            await self._send(part[:PART_BYTES], send)
            part = part[PART_BYTES:]
        await self._send(part, send, is_last=True)

    async def _send(self, part: bytes, send: Send, *, is_last: bool = False) -> None:
        if not self._is_begun:
            if part:
                self.status_code = 200
                self.headers["Content-Type"] = self._speech.content_type
            await send(
                {
                    "type": "http.response.start",
                    "status": self.status_code,
                    "headers": self.raw_headers,
                }
            )
            self._is_begun = True
        await send({"type": "http.response.body", "body": part, "more_body": not is_last})


async def _owed(
    chunks: AsyncGenerator[AudioChunk, None], gaps: BodyGaps, job: SpeechJob
) -> AsyncGenerator[AudioChunk, None]:
    """The chunks. Each is owed from the moment in which it is asked for."""
    gaps.begin()
    async for chunk in chunks:
        await gaps.end()
        yield chunk
        gaps.heard_s += len(chunk.pcm) / SAMPLE_RATE / job.options.speed
        gaps.begin()
