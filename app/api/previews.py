"""The sample sentence of each voice, spoken once and kept: a player that asks for it in parts, or a
page that plays it again, gets the same bytes. Knows nothing about who may hear a voice."""

import asyncio
from collections import OrderedDict
from contextlib import aclosing
from weakref import WeakValueDictionary

from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from app.api.connection import while_connected
from app.api.encoding import chunks_of
from app.api.ranges import file_answer
from app.api.services import Services
from app.api.speech_bodies import WholeFile
from app.api.speech_job import SpeechJob
from app.api.speech_response import headers_of
from app.core import SamplingParams, VoiceRef

TEXT = "Hello there. This is how I sound when I read a sentence or two."
SEED = 0
MAX_KEPT = 32  # files of about 250 kB

Key = tuple[str, VoiceRef, SamplingParams]  # the model, the voice, and the limits of the caller


class Previews:
    """At most MAX_KEPT files; the one that nobody has asked for longest goes first."""

    def __init__(self) -> None:
        self._files: OrderedDict[Key, bytes] = OrderedDict()
        self._making: WeakValueDictionary[Key, asyncio.Lock] = WeakValueDictionary()

    async def file(self, services: Services, job: SpeechJob) -> bytes:
        """The kept file, else the speech of the job. Empty where the session was cancelled. Of
        several callers at once, the first one's session speaks for all."""
        key = (services.synthesizer.card().name, job.request.voice, job.request.sampling)
        async with self._making.setdefault(key, asyncio.Lock()):
            if key not in self._files:
                made = await _spoken(services, job)
                if not made:
                    return b""
                self._files[key] = made
            self._files.move_to_end(key)
            if len(self._files) > MAX_KEPT:
                self._files.popitem(last=False)
            return self._files[key]


class PreviewResponse(Response):
    """The file, or the part that the request asks for. 204 where its session was cancelled."""

    def __init__(self, services: Services, previews: Previews, job: SpeechJob) -> None:
        super().__init__(status_code=204, headers={"Cache-Control": "no-store"})
        self._services = services
        self._previews = previews
        self._job = job
        self._file: bytes | None = None  # None: the client left first

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await while_connected(self._make(), receive)
        if self._file is None:
            return
        if not self._file:
            await super().__call__(scope, receive, send)
            return
        headers = headers_of(self._services, self._job) | {"Cache-Control": "private, no-cache"}
        kind = self._job.options.format.content_type
        answer = file_answer(self._file, kind, Headers(scope=scope), headers)
        await answer(scope, receive, send)

    async def _make(self) -> None:
        self._file = await self._previews.file(self._services, self._job)


async def _spoken(services: Services, job: SpeechJob) -> bytes:
    body = WholeFile(job)
    async with aclosing(chunks_of(services, job)) as chunks:
        while (chunk := await anext(chunks)).finish is None:
            await body.feed(chunk)
        return await body.end(chunk)
