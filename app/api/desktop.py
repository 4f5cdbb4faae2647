"""The routes of the desktop app that this server replaces. Speech takes the same path as on every
other route."""

from contextlib import nullcontext

import numpy as np
from fastapi import APIRouter, Request
from starlette.responses import Response

from app.api.answers import Speaking, StoppedSession, StoppedSessions
from app.api.dependencies import caller_of, require_role
from app.api.encoding import SpeechEncoder
from app.api.errors import JsonResponse, error_of
from app.api.events import base64_of, event_of, usage_of
from app.api.json_body import read_object
from app.api.openapi import NOT_SERVED, WAV_EVENTS, WAV_FILE, answer, json_body
from app.api.services import Services
from app.api.session_routes import stop_sessions
from app.api.speech_bodies import EVENT_STREAM, WholeFile
from app.api.speech_job import SpeechJob
from app.api.speech_request import SpeechOptionFields, VoiceField, parse
from app.api.speech_response import SpeechResponse
from app.audio.pcm import Samples
from app.core import AudioChunk
from app.errors import BadRequest, NotServed
from app.key_settings import Role


class VoxFields(SpeechOptionFields):
    """A text and how to speak it. The default voice is the model's first."""

    text: str
    voice: VoiceField | None = None


_VOX_BODY = json_body(VoxFields.model_json_schema())
_STOPPED = answer(StoppedSessions)


class WavEvents:
    """Server-sent events. Each has one segment as a WAV file that can be played by itself."""

    content_type = EVENT_STREAM

    def __init__(self, job: SpeechJob) -> None:
        self._job = job
        self._total = len(job.text.segments)
        self._pcm: list[Samples] = []  # of the segment that is being made
        self._segment = 0
        self._num_files = 0

    async def feed(self, chunk: AudioChunk) -> bytes:
        file = b"" if chunk.segment == self._segment else await self._file()
        self._segment = chunk.segment
        self._pcm.append(chunk.pcm)
        return file

    async def end(self, last: AudioChunk) -> bytes:
        self._pcm.append(last.pcm)
        return await self._file() + event_of(
            "done",
            total=self._total,
            finish_reason=last.finish,
            usage=usage_of(self._job.text.num_chars, last.num_tokens),
        )

    async def fill(self) -> bytes:
        return b""  # each event is a file of its own

    def broken(self, error: Exception) -> bytes:
        return event_of("error", error=error_of(error))

    async def _file(self) -> bytes:
        """The event of the segment whose samples are complete."""
        parts, self._pcm = self._pcm, []
        if not any(map(len, parts)):
            return b""
        encoder = SpeechEncoder(self._job.options)
        wav = encoder.seal(await encoder.feed(np.concatenate(parts)) + await encoder.finish())
        self._num_files += 1
        index = self._num_files - 1
        return event_of("chunk", index=index, total=self._total, audio=base64_of(wav))


def desktop_routes(services: Services) -> APIRouter:
    router = APIRouter(
        prefix="/api", default_response_class=JsonResponse, dependencies=[require_role(Role.SPEAK)]
    )
    synthesizer = services.synthesizer

    @router.post("/vox_speak_wav", response_model=None, responses=WAV_FILE, openapi_extra=_VOX_BODY)
    async def speak_wav(request: Request) -> Response:
        """Speech as one WAV file."""
        job = await _job(services, request)
        return SpeechResponse(services, nullcontext(job), WholeFile(job))

    @router.post(
        "/vox_speak_wav_stream", response_model=None, responses=WAV_EVENTS, openapi_extra=_VOX_BODY
    )
    async def speak_wav_stream(request: Request) -> Response:
        """Speech as events, each with one segment as a WAV file."""
        job = await _job(services, request)
        return SpeechResponse(services, nullcontext(job), WavEvents(job))

    @router.post("/vox_stop", response_model=None, responses=_STOPPED)
    @router.post("/vox_stop_speak", response_model=None, responses=_STOPPED)
    @router.post("/stop_all_vox", response_model=None, responses=_STOPPED)
    async def stop(request: Request) -> Response:
        """Stop every session of the caller's tenant."""
        acks = await stop_sessions(synthesizer, caller_of(request).tenant)
        stopped = [StoppedSession(session_id=ack.session_id, state=ack.state) for ack in acks]
        return JsonResponse(StoppedSessions(stopped=tuple(stopped)))

    @router.get("/tts_is_speaking", response_model=None, responses=answer(Speaking))
    async def is_speaking(request: Request) -> Response:
        """Whether a session of the caller's tenant is live."""
        num_live = len(await synthesizer.live(caller_of(request).tenant))
        return JsonResponse(Speaking(is_speaking=num_live > 0, sessions=num_live))

    @router.post("/vox_speak", response_model=None, status_code=501, responses=NOT_SERVED)
    async def speak_aloud() -> Response:
        """Not served: a server has no loudspeaker of its caller."""
        raise NotServed("a server cannot play sound on your device; use /api/vox_speak_wav")

    return router


async def _job(services: Services, request: Request) -> SpeechJob:
    caller, planner = caller_of(request), services.planner
    fields = parse(VoxFields, await read_object(request, planner.max_body_bytes))
    if fields.response_format not in (None, "wav"):
        message = "response_format: this route sends wav only"
        raise BadRequest(message, param="response_format")
    first = services.voices.catalogue.named()[0].name
    name = first if fields.voice is None else fields.voice
    voice, kept = await services.pronunciations.of_speech(caller, name)
    options = planner.options(fields, voice, caller, default_format="wav", kept=kept)
    return await planner.job(fields.text, options, request.state.request_id)
