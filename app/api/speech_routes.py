"""Speech over HTTP and over a socket, and its cancel."""

import asyncio
import base64
import binascii
from contextlib import AsyncExitStack
from dataclasses import asdict, replace

from fastapi import APIRouter, Request, WebSocket
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from app.api import errors
from app.api.admission import Ticket
from app.api.body import parse_object, read_object
from app.api.dependencies import caller_of, require_role
from app.api.errors import JsonResponse
from app.api.middleware import SUBPROTOCOL, check_session_id
from app.api.openapi import CANCELLED, SPOKEN
from app.api.services import Services
from app.api.speech import SpeechResponse
from app.api.speech_job import build_job, check_model, is_whole, resolve_options
from app.api.speech_request import SpeechFields, parse
from app.api.speech_socket import POLICY, SpeechSocket
from app.api.uploads import read_form
from app.auth.api_keys import Caller
from app.config import Role
from app.core import CancelState, SessionKey
from app.errors import BadRequest, NotFound, RateLimited
from app.voices.recordings import MAX_BYTES

OTHER_FIELDS_BYTES = 16_384  # of a request body, beside its text

_CANCEL_STATUS = {
    CancelState.STOPPED: 200,
    CancelState.ALREADY_DONE: 200,
    CancelState.STOPPING: 202,
    CancelState.UNKNOWN: 404,
}
_UNKNOWN = "no such session; a request that comes with this id will not start"
_SCHEMA = SpeechFields.model_json_schema()
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
                        "request": {"type": "string", "description": "the JSON body, no voice"},
                        "reference_audio": {"type": "string", "format": "binary"},
                    },
                }
            },
        },
    }
}


class ClonedSpeech(Response):
    """Speech in a voice that is made for this answer, and gone after it."""

    def __init__(
        self, services: Services, fields: SpeechFields, caller: Caller, session_id: str
    ) -> None:
        self.background = None
        self._services = services
        self._fields = fields
        self._caller = caller
        self._session_id = session_id

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        services, caller = self._services, self._caller
        # Planned before the recording is touched: what is wrong with the text is told at once.
        draft = await planned(services, self._fields, caller, self._session_id, voice="")
        sample = _decoded(self._fields.reference_audio or "")
        async with AsyncExitStack() as stack:
            stack.enter_context(services.admission.place(caller, "max_uploads"))
            ticket = await stack.enter_async_context(
                services.admission.admitted(caller, draft.job.script.num_chars)
            )
            voice = await stack.enter_async_context(services.voices.once(caller, sample))
            answer = await planned(
                services, self._fields, caller, self._session_id, voice, ticket=ticket
            )
            await answer(scope, receive, send)


async def planned(
    services: Services,
    fields: SpeechFields,
    caller: Caller,
    session_id: str,
    voice: str,
    *,
    ticket: Ticket | None = None,
) -> SpeechResponse:
    """The answer to a request in a voice that is known. Raises what is wrong with it."""
    whole = is_whole(fields)
    options = resolve_options(fields, services.synthesizer.card(), voice, services.limits, caller)
    # Apart: a long text costs tens of milliseconds, in which no other stream would move.
    job = await asyncio.to_thread(
        build_job, fields.input, options, caller, session_id, services.limits
    )
    job = replace(job, ticket=ticket)
    return SpeechResponse(services, job, sse=fields.stream_format == "sse", whole=whole)


def speech_routes(services: Services) -> APIRouter:
    router = APIRouter(default_response_class=JsonResponse, dependencies=[require_role(Role.SPEAK)])
    synthesizer = services.synthesizer
    # "\ud83d\ude42" at worst, and a recording in base64 from those who may send one
    text_bytes = services.limits.max_text_chars * 12 + OTHER_FIELDS_BYTES

    @router.post(
        "/v1/audio/speech", response_model=None, responses=SPOKEN, openapi_extra=_SPEECH_BODY
    )
    async def speak(request: Request) -> Response:
        """Speech of a text; the request's id is the session's."""
        caller = caller_of(request)
        may_clone = Role.VOICES in caller.roles and services.voices.library is not None
        max_bytes = text_bytes + (MAX_BYTES * 4 // 3 if may_clone else 0)
        fields = await _read(request, max_bytes)
        check_model(fields.model, synthesizer.card())
        if (fields.voice is None) == (fields.reference_audio is None):
            raise BadRequest("voice: it, or reference_audio, is needed", param="voice")
        session_id = request.state.request_id
        if fields.voice is None:
            return ClonedSpeech(services, fields, caller, session_id)
        voice = await services.voices.find(caller, fields.voice)
        return await planned(services, fields, caller, session_id, voice)

    @router.delete("/v1/audio/speech/{session_id}", response_model=None, responses=CANCELLED)
    @router.post("/cancel/{session_id}", response_model=None, responses=CANCELLED)
    async def cancel(request: Request, session_id: str) -> Response:
        """Stop a session of the caller's tenant; the answer says what was stopped."""
        check_session_id(session_id, "session_id")
        ack = await synthesizer.cancel(SessionKey(caller_of(request).tenant, session_id))
        body = asdict(ack)
        if ack.state is CancelState.UNKNOWN:
            fault = NotFound(_UNKNOWN, param="session_id", code="session_not_found")
            body["error"] = errors.error_of(fault)
        return JsonResponse(body, _CANCEL_STATUS[ack.state])

    @router.websocket("/v1/audio/speech/stream")
    async def stream(websocket: WebSocket) -> None:
        offered = websocket.scope.get("subprotocols", [])
        caller, socket_id = caller_of(websocket), websocket.state.request_id
        try:
            with services.admission.place(caller, "max_sockets"):
                await websocket.accept(SUBPROTOCOL if SUBPROTOCOL in offered else None)
                await SpeechSocket(websocket, services, caller, socket_id).serve()
        except RateLimited as refusal:
            services.refused(refusal.code)
            await websocket.close(POLICY, refusal.code)

    return router


async def _read(request: Request, max_bytes: int) -> SpeechFields:
    """The fields of a JSON body, or of a form that brings a recording."""
    if not request.headers.get("content-type", "").lower().startswith("multipart/form-data"):
        return parse(SpeechFields, await read_object(request, max_bytes))
    caller_of(request).require(Role.VOICES)
    form = await read_form(request, ("request",), ("reference_audio",), MAX_BYTES)
    body = parse_object(form.texts.get("request", "").encode(), "request")
    sample = base64.b64encode(form.file("reference_audio")).decode("ascii")
    return parse(SpeechFields, {**body, "reference_audio": sample})


def _decoded(sample: str) -> bytes:
    try:
        content = base64.b64decode(sample, validate=True)
    except (binascii.Error, ValueError):
        raise BadRequest("reference_audio: not base64", param="reference_audio") from None
    if not 1 <= len(content) <= MAX_BYTES:
        message = f"reference_audio: 1 to {MAX_BYTES} bytes are needed"
        raise BadRequest(message, param="reference_audio")
    return content
