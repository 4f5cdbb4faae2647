"""The routes of the desktop app that this server replaces, over the same path as every other.

`vox_stop` and `tts_is_speaking` know what was started through these routes in this process; where
several ingresses answer, they say that they cannot know. Which model is served is the
configuration's: it can be unloaded and loaded again, and a request for another is told so.
"""

import asyncio
import base64
import json
from collections.abc import AsyncGenerator
from contextlib import aclosing

import numpy as np
from fastapi import APIRouter, Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from app.api.body import read_object
from app.api.connection import while_connected
from app.api.dependencies import caller_of, require_role
from app.api.encoding import Progress, fed, opened, sound_of
from app.api.errors import JsonResponse, error_of
from app.api.openapi import WAV_EVENTS, WAV_FILE
from app.api.services import Services
from app.api.speech import SpeechResponse, start_of, usage_of
from app.api.speech_job import SpeechJob, build_job, resolve_options
from app.api.speech_request import SpeechOptionFields, VoiceField, parse
from app.api.speech_routes import OTHER_FIELDS_BYTES
from app.api.stream_faults import StreamFault, with_fault
from app.audio.pcm import Samples
from app.auth.api_keys import Caller
from app.config import Role
from app.core import CancelState, FinishReason, ModelLoader, SessionKey
from app.errors import BadRequest, NotServed


class VoxFields(SpeechOptionFields):
    """A text, and how to speak it. No voice: the model's first."""

    text: str
    voice: VoiceField | None = None


_VOX_BODY = {
    "requestBody": {
        "required": True,
        "content": {"application/json": {"schema": VoxFields.model_json_schema()}},
    }
}


class Desktop:
    """What was started through these routes and is not over."""

    def __init__(self, services: Services, is_alone: bool) -> None:
        self.services = services
        self._is_alone = is_alone
        self._live: set[SessionKey] = set()

    def live(self, tenant: str) -> list[SessionKey]:
        """Raises NotServed where other processes have sessions too."""
        if not self._is_alone:
            message = "several ingresses answer here, and each knows its own sessions alone: "
            raise NotServed(f"{message}POST /cancel/{{id}} stops one by its X-Request-ID")
        return [key for key in self._live if key.tenant == tenant]

    def begin(self, key: SessionKey) -> None:
        self._live.add(key)

    def end(self, key: SessionKey) -> None:
        self._live.discard(key)

    async def stop(self, tenant: str) -> list[dict[str, object]]:
        acks = [await self.services.synthesizer.cancel(key) for key in self.live(tenant)]
        return [
            {"session_id": ack.session_id, "state": ack.state}
            for ack in acks
            if ack.state is not CancelState.UNKNOWN
        ]

    async def job(self, request: Request) -> SpeechJob:
        services, caller = self.services, caller_of(request)
        max_bytes = services.limits.max_text_chars * 12 + OTHER_FIELDS_BYTES
        fields = parse(VoxFields, await read_object(request, max_bytes))
        if fields.response_format not in (None, "wav"):
            raise BadRequest("response_format: this route sends wav", param="response_format")
        voice = await self._voice(caller, fields)
        card = services.synthesizer.card()
        options = resolve_options(
            fields, card, voice, services.limits, caller, default_format="wav"
        )
        return await asyncio.to_thread(
            build_job, fields.text, options, caller, request.state.request_id, services.limits
        )

    async def _voice(self, caller: Caller, fields: VoxFields) -> str:
        if fields.voice is None:
            return self.services.synthesizer.card().voices[0]
        return await self.services.voices.find(caller, fields.voice)


class _Watched(Response):
    """An answer whose session counts as live while it is given."""

    def __init__(self, desktop: Desktop, key: SessionKey, answer: Response) -> None:
        self.background = None
        self._desktop = desktop
        self._key = key
        self._answer = answer

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self._desktop.begin(self._key)
        try:
            await self._answer(scope, receive, send)
        finally:
            self._desktop.end(self._key)


class WavChunks(Response):
    """Server-sent events, each with one segment as a WAV file that can be played by itself."""

    media_type = "text/event-stream"

    def __init__(self, services: Services, job: SpeechJob) -> None:
        self.status_code = 200
        self.background = None
        self._services = services
        self._job = job
        self.init_headers({"Content-Type": "text/event-stream", "Cache-Control": "no-store"})

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await while_connected(self._answer(send), receive)

    async def _answer(self, send: Send) -> None:
        async with aclosing(self._events()) as events:
            first = await anext(events)  # what fails until here becomes a status code
            await send(start_of(200, self.raw_headers))
            await send({"type": "http.response.body", "body": first, "more_body": True})
            async for event in events:
                await send({"type": "http.response.body", "body": event, "more_body": True})
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _events(self) -> AsyncGenerator[bytes, None]:
        total, index = len(self._job.script.segments), 0
        progress = Progress()
        session_id = self._job.request.key.session_id
        files = with_fault(self._files(progress), session_id, self._services.refused)
        async with aclosing(files):
            async for file in files:
                if isinstance(file, StreamFault):
                    yield _event("error", error=error_of(file.fault))
                    return
                wav = base64.b64encode(file).decode("ascii")
                yield _event("chunk", index=index, total=total, audio=wav)
                index += 1
        usage = usage_of(self._job.script.num_chars, progress.num_tokens)
        finish = progress.finish or FinishReason.STOP
        yield _event("done", total=total, finish_reason=finish, usage=usage)

    async def _files(self, progress: Progress) -> AsyncGenerator[bytes, None]:
        options = self._job.options
        async with aclosing(_by_segment(self._services, self._job, progress)) as parts:
            async for pcm in parts:
                encoder = await opened(options)
                body = await fed(encoder, pcm) + encoder.finish()
                yield options.format.seal(body, encoder.num_samples, options.sample_rate)


async def _by_segment(
    services: Services, job: SpeechJob, progress: Progress
) -> AsyncGenerator[Samples, None]:
    """The session's sound, a segment at a time, with the pauses before it."""
    parts: list[Samples] = []
    segment = 0
    async with aclosing(sound_of(services, job, progress)) as sound:
        async for pcm in sound:
            if progress.segment != segment and parts:
                yield np.concatenate(parts)
                parts = []
            segment = progress.segment
            parts.append(pcm)
    if parts:
        yield np.concatenate(parts)


def _event(kind: str, **fields: object) -> bytes:
    return b"data: " + json.dumps({"type": kind, **fields}).encode() + b"\n\n"


def desktop_routes(services: Services, is_alone: bool) -> APIRouter:
    router = APIRouter(
        prefix="/api", default_response_class=JsonResponse, dependencies=[require_role(Role.SPEAK)]
    )
    desktop = Desktop(services, is_alone)

    @router.post("/vox_speak_wav", response_model=None, responses=WAV_FILE, openapi_extra=_VOX_BODY)
    async def speak_wav(request: Request) -> Response:
        job = await desktop.job(request)
        return _Watched(desktop, job.request.key, SpeechResponse(services, job, whole=True))

    @router.post(
        "/vox_speak_wav_stream", response_model=None, responses=WAV_EVENTS, openapi_extra=_VOX_BODY
    )
    async def speak_wav_stream(request: Request) -> Response:
        job = await desktop.job(request)
        return _Watched(desktop, job.request.key, WavChunks(services, job))

    @router.post("/vox_stop", response_model=None)
    @router.post("/vox_stop_speak", response_model=None)
    @router.post("/stop_all_vox", response_model=None)
    async def stop(request: Request) -> Response:
        """Everything of the caller's tenant that was started through these routes."""
        return JsonResponse({"stopped": await desktop.stop(caller_of(request).tenant)})

    @router.get("/tts_is_speaking", response_model=None)
    async def is_speaking(request: Request) -> Response:
        num_live = len(desktop.live(caller_of(request).tenant))
        return JsonResponse({"is_speaking": num_live > 0, "sessions": num_live})

    @router.post("/vox_speak", response_model=None)
    async def speak_aloud() -> Response:
        raise NotServed("a server has no loudspeaker of yours: use /api/vox_speak_wav")

    return router


def model_routes(services: Services, switch: ModelLoader | None) -> APIRouter:
    """The served model out of memory and back; any other is the configuration's to serve."""
    router = APIRouter(
        prefix="/api", default_response_class=JsonResponse, dependencies=[require_role(Role.ADMIN)]
    )

    async def load(family: str) -> Response:
        card = services.synthesizer.card()
        if card.family != family:
            raise NotServed(
                f"{card.name} is served here; another model is a change of `model` in the "
                "configuration, which Serve carries out when it is deployed again"
            )
        if switch is not None:  # else it has never been out
            await switch.load()
        return JsonResponse({"model": card.name, "family": family, "loaded": True})

    @router.post("/tts_load_turbo", response_model=None)
    async def load_turbo() -> Response:
        """Answers when it can speak, also where it could already."""
        return await load("turbo")

    @router.post("/tts_load_multilingual", response_model=None)
    async def load_multilingual() -> Response:
        return await load("multilingual")

    @router.post("/unload_tts", response_model=None)
    @router.post("/tts_unload", response_model=None)
    async def unload() -> Response:
        """Answers when its memory is free: no session begins, and those that live end first."""
        if switch is None:
            raise NotServed("the model stays in memory while this process lives")
        await switch.unload()
        return JsonResponse({"model": services.synthesizer.card().name, "loaded": False})

    return router
