"""The HTTP interface over a Synthesizer. A builder without globals: any process may hold any
number of them, and tests put a fake behind one."""

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from types import MappingProxyType
from typing import Any

from fastapi import APIRouter, Depends, FastAPI, Request, WebSocket
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import HTTPConnection
from starlette.responses import Response

from app.access import Caller, KeyRing
from app.api import errors
from app.api.body import read_object
from app.api.door import REQUEST_ID, SUBPROTOCOL, Door, check_session_id
from app.api.errors import JsonResponse
from app.api.plan import check_model, is_whole, job_of, manner_of
from app.api.services import Services
from app.api.speech import SpeechResponse
from app.api.speech_request import SpeechFields, parse
from app.api.speech_socket import SpeechSocket
from app.api.turnstile import Turnstile
from app.config import KeySettings, Limits, Role, SocketLimits
from app.core import CancelState, HealthStatus, SessionKey, Synthesizer
from app.errors import NotFound
from app.quota import Ledger, QuotaLedger
from app.voice_catalogue import VoiceCatalogue

OTHER_FIELDS_BYTES = 16_384  # of a request body, beside its text

_CANCEL_STATUS = {
    CancelState.STOPPED: 200,
    CancelState.ALREADY_DONE: 200,
    CancelState.STOPPING: 202,
    CancelState.UNKNOWN: 404,
}
_UNKNOWN = "no such session; a request that comes with this id will not start"
_SPEECH_BODY = {
    "requestBody": {
        "required": True,
        "content": {"application/json": {"schema": SpeechFields.model_json_schema()}},
    }
}


def create_app(
    synthesizer: Synthesizer,
    limits: Limits,
    *,
    sockets: SocketLimits | None = None,
    voice_aliases: Mapping[str, str] = MappingProxyType({}),
    keys: Sequence[KeySettings] = (),
    origins: tuple[str, ...] = (),
    ledger: Ledger | None = None,
    returns_request_id: bool = True,
) -> FastAPI:
    """Without `keys` it speaks to its own machine alone. `ledger` counts what keys use, by default
    in this process.

    `returns_request_id`: False where the server in front already sends X-Request-ID back, as
    Ray Serve's does: twice, clients would read it as "id, id"."""
    app = FastAPI(title="chatterbox-serve", docs_url=None, redoc_url=None, redirect_slashes=False)
    app.add_middleware(
        Door, returns_id=returns_request_id, ring=KeyRing(keys), origins=tuple(origins)
    )
    if origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=origins,
            allow_methods=["GET", "POST", "PATCH", "DELETE"],
            allow_headers=["Authorization", "Content-Type", "X-API-Key", REQUEST_ID],
            expose_headers=[REQUEST_ID, "X-Sample-Rate", "X-Seed", "Retry-After"],
        )
    errors.install(app)
    catalogue = VoiceCatalogue(synthesizer.card, voice_aliases)
    turnstile = Turnstile(ledger or QuotaLedger(limits.live_s))
    services = Services(synthesizer, catalogue, limits, sockets or SocketLimits(), turnstile)
    app.include_router(_speech_routes(services))
    app.include_router(_socket_routes(services))
    app.include_router(_catalogue_routes(services))
    return app


def caller_of(connection: HTTPConnection) -> Caller:
    """Whom the door let in."""
    caller: Caller = connection.state.caller
    return caller


def needs(role: Role) -> Any:
    """A route's dependency: refused with 403 before anything of the body is read."""

    def check(connection: HTTPConnection) -> None:
        caller_of(connection).require(role)

    return Depends(check)


def _speech_routes(services: Services) -> APIRouter:
    router = APIRouter(default_response_class=JsonResponse, dependencies=[needs(Role.SPEAK)])
    synthesizer, limits = services.synthesizer, services.limits
    max_body_bytes = limits.max_text_chars * 12 + OTHER_FIELDS_BYTES  # "\ud83d\ude42" at worst

    @router.post("/v1/audio/speech", response_model=None, openapi_extra=_SPEECH_BODY)
    async def speak(request: Request) -> Response:
        """Speech of a text; the request's id is the session's."""
        fields = parse(SpeechFields, await read_object(request, max_body_bytes))
        card = synthesizer.card()
        check_model(fields.model, card)
        voice = services.catalogue.find(fields.voice).voice
        whole = is_whole(fields)
        manner = manner_of(fields, card, voice, limits)
        session_id = request.state.request_id
        # Apart: a long text costs tens of milliseconds, in which no other stream would move.
        job = await asyncio.to_thread(
            job_of, fields.input, manner, caller_of(request), session_id, limits
        )
        sse = fields.stream_format == "sse"
        return SpeechResponse(services, job, sse=sse, whole=whole)

    @router.delete("/v1/audio/speech/{session_id}", response_model=None)
    @router.post("/cancel/{session_id}", response_model=None)
    async def cancel(request: Request, session_id: str) -> Response:
        """Stop a session of the caller's tenant; the answer says what was stopped."""
        check_session_id(session_id, "session_id")
        ack = await synthesizer.cancel(SessionKey(caller_of(request).tenant, session_id))
        body = asdict(ack)
        if ack.state is CancelState.UNKNOWN:
            fault = NotFound(_UNKNOWN, param="session_id", code="session_not_found")
            body["error"] = errors.error_of(fault)
        return JsonResponse(body, _CANCEL_STATUS[ack.state])

    return router


def _socket_routes(services: Services) -> APIRouter:
    router = APIRouter(dependencies=[needs(Role.SPEAK)])

    @router.websocket("/v1/audio/speech/stream")
    async def stream(websocket: WebSocket) -> None:
        offered = websocket.scope.get("subprotocols", [])
        await websocket.accept(SUBPROTOCOL if SUBPROTOCOL in offered else None)
        caller = caller_of(websocket)
        await SpeechSocket(websocket, services, caller, websocket.state.request_id).serve()

    return router


def _catalogue_routes(services: Services) -> APIRouter:
    router = APIRouter(default_response_class=JsonResponse)
    synthesizer = services.synthesizer
    created = int(time.time())

    def model() -> dict[str, object]:
        card = synthesizer.card()
        return {
            "id": card.name,
            "object": "model",
            "created": created,
            "owned_by": "chatterbox-serve",
            "family": card.family,
            "languages": card.languages,
        }

    @router.get("/", response_model=None)
    async def root() -> Response:
        return JsonResponse({"name": "chatterbox-serve", "speech": "/v1/audio/speech"})

    @router.get("/health", response_model=None)
    async def health() -> Response:
        now = await synthesizer.health()
        return JsonResponse(asdict(now), 200 if now.status is HealthStatus.OK else 503)

    @router.get("/v1/models", response_model=None)
    async def models() -> Response:
        return JsonResponse({"object": "list", "data": [model()]})

    @router.get("/v1/models/{model_id:path}", response_model=None)
    async def one_model(model_id: str) -> Response:
        if model_id != synthesizer.card().name:
            message = f"model {model_id[:64]!r} is not served here"
            raise NotFound(message, param="model", code="model_not_found")
        return JsonResponse(model())

    @router.get("/v1/audio/voices", response_model=None)
    async def voices() -> Response:
        named = [
            {"id": v.id, "name": v.name, "aliases": v.aliases} for v in services.catalogue.named()
        ]
        return JsonResponse({"voices": named})

    return router
