"""The routes of speech over HTTP and over a socket, and of its cancel."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, nullcontext
from dataclasses import asdict

from fastapi import APIRouter, Request, WebSocket
from starlette.responses import Response

from app.api.dependencies import accept, caller_of, require_role
from app.api.dialects.own import OwnProtocol
from app.api.errors import JsonResponse, error_of
from app.api.events import base64_of
from app.api.json_body import parse_object, read_object, read_optional_object
from app.api.middleware import check_target_id
from app.api.openapi import CANCELLED, SPOKEN, json_body
from app.api.reference_audio import MAX_CHARS, recording_of
from app.api.services import Services
from app.api.speech_bodies import Body, RawAudio, ServerSentEvents, WholeFile
from app.api.speech_job import SpeechJob
from app.api.speech_request import CancelFields, SpeechFields, parse
from app.api.speech_response import SpeechResponse
from app.api.speech_socket import SpeechSocket
from app.api.uploads import read_form
from app.api.word_routes import words_path
from app.core import CancelState, SessionKey
from app.errors import BadRequest, NotFound
from app.key_settings import Role
from app.voices.recordings import MAX_BYTES

_CANCEL_STATUS = {
    CancelState.STOPPED: 200,
    CancelState.ALREADY_DONE: 200,
    CancelState.STOPPING: 202,
    CancelState.UNKNOWN: 404,
}
_UNKNOWN = "this session id is unknown; a later request with this id will be cancelled"
MAX_CANCEL_BYTES = 1024
_SCHEMA = SpeechFields.model_json_schema()
_CANCEL_BODY = json_body(CancelFields.model_json_schema(), is_required=False)
_SPEECH_BODY = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {"schema": _SCHEMA},
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["request", "reference_audio"],
                    "additionalProperties": False,
                    "properties": {
                        "request": {"type": "string", "description": "the JSON body without voice"},
                        "reference_audio": {"type": "string", "format": "binary"},
                    },
                }
            },
        },
    }
}


@asynccontextmanager
async def cloned(
    services: Services, job: SpeechJob, sample: bytes
) -> AsyncGenerator[SpeechJob, None]:
    """The job in a voice that is made of `sample` for this job and deleted after it."""
    caller = job.options.caller
    with services.admission.upload_place(caller):
        async with (
            services.admission.admitted(caller, job.predicted_s) as ticket,
            services.voices.once(caller, sample) as voice,
        ):
            yield job.in_voice(voice, ticket)


def speech_routes(services: Services) -> APIRouter:
    router = APIRouter(default_response_class=JsonResponse, dependencies=[require_role(Role.SPEAK)])
    synthesizer, planner = services.synthesizer, services.planner

    @router.post(
        "/v1/audio/speech", response_model=None, responses=SPOKEN, openapi_extra=_SPEECH_BODY
    )
    async def speak(request: Request) -> Response:
        """Speech of a text. The id of the request is the id of the session."""
        caller = caller_of(request)
        may_clone = Role.VOICES in caller.roles and services.voices.library is not None
        recording_bytes = MAX_CHARS if may_clone else 0
        fields = await _read(request, planner.max_body_bytes + recording_bytes)
        planner.models.check(fields.model)
        if (fields.voice is None) == (fields.reference_audio is None):
            raise BadRequest("voice: send either voice or reference_audio", param="voice")
        is_file = _is_file(fields)
        # A clone has no voice until its voice is made of the recording.
        voice, kept = await services.pronunciations.of_speech(caller, fields.voice)
        options = planner.options(fields, voice, caller, kept=kept, is_part=True)
        job = await planner.job(fields.input, options, request.state.request_id)
        job = job if is_file else job.paced(is_held=planner.is_held(fields.start))
        spoken = (
            nullcontext(job)
            if fields.reference_audio is None
            else cloned(services, job, recording_of(fields.reference_audio))
        )
        body = _body(fields, job)
        response = SpeechResponse(services, spoken, body, fills_gaps=planner.fills_gaps)
        if is_file and fields.timestamps is not None:
            response.headers["Link"] = (
                f'<{words_path(request.state.request_id)}>; rel="describedby"'
            )
        return response

    @router.delete(
        "/v1/audio/speech/{session_id}",
        response_model=None,
        responses=CANCELLED,
        openapi_extra=_CANCEL_BODY,
    )
    @router.post(
        "/cancel/{session_id}",
        response_model=None,
        responses=CANCELLED,
        openapi_extra=_CANCEL_BODY,
    )
    async def cancel(request: Request, session_id: str) -> Response:
        """Stop a session of the caller's tenant. The answer says what was stopped, and what was
        heard."""
        check_target_id(session_id)
        fields = parse(CancelFields, await read_optional_object(request, MAX_CANCEL_BYTES))
        key = SessionKey(caller_of(request).tenant, session_id)
        ack = await synthesizer.cancel(key, fields.played_ms)
        body = asdict(ack)
        if ack.state is CancelState.UNKNOWN:
            error = NotFound(_UNKNOWN, param="session_id", code="session_not_found")
            body["error"] = error_of(error)
        return JsonResponse(body, _CANCEL_STATUS[ack.state])

    @router.websocket("/v1/audio/speech/stream")
    async def stream(websocket: WebSocket) -> None:
        caller, socket_id = caller_of(websocket), websocket.state.request_id
        await accept(websocket)
        await SpeechSocket(websocket, services, caller, socket_id, OwnProtocol()).serve()

    return router


async def _read(request: Request, max_bytes: int) -> SpeechFields:
    """The fields of a JSON body, or of a form with a recording."""
    if not request.headers.get("content-type", "").lower().startswith("multipart/form-data"):
        return parse(SpeechFields, await read_object(request, max_bytes))
    caller_of(request).require(Role.VOICES)
    form = await read_form(request, ("request",), ("reference_audio",), MAX_BYTES)
    body = parse_object(form.texts.get("request", "").encode(), "request")
    sample = base64_of(form.file("reference_audio"))
    return parse(SpeechFields, {**body, "reference_audio": sample})


def _body(fields: SpeechFields, job: SpeechJob) -> Body:
    if fields.stream is False:
        return WholeFile(job)
    if fields.stream_format == "sse":
        return ServerSentEvents(job, tells_words=fields.timestamps is not None)
    return RawAudio(job)


def _is_file(fields: SpeechFields) -> bool:
    """Whether the answer is one file instead of a stream."""
    if fields.stream is False and fields.stream_format == "sse":
        raise BadRequest("stream: server-sent events cannot be sent as one file", param="stream")
    if fields.stream is False and fields.start is not None:
        raise BadRequest("start: one file is not played as it comes", param="start")
    if fields.timestamps and fields.stream is not False and fields.stream_format != "sse":
        message = "timestamps: a stream of audio alone has no place for them; use stream_format sse"
        raise BadRequest(message, param="timestamps")
    return fields.stream is False
