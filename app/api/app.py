"""Builds the HTTP interface of a Synthesizer, without globals: a process may have several, and
tests put a fake synthesizer behind one."""

import asyncio
import math
import time
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict
from types import MappingProxyType

from fastapi import APIRouter, FastAPI
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import Response

from app.agent_settings import DIALECTS, DialectName
from app.api import errors, openapi
from app.api.admission import AdmissionControl
from app.api.answers import Model, ModelList, ServerName
from app.api.desktop import desktop_routes
from app.api.dialects.routes import dialect_routes, dialect_sockets
from app.api.errors import CountRefusal, JsonResponse, uncounted
from app.api.middleware import REQUEST_ID, RequestGuard
from app.api.model_routes import model_routes
from app.api.openapi import HEALTH, answer
from app.api.plan_routes import plan_routes
from app.api.prebuffer import PREBUFFER
from app.api.pronunciation_routes import pronunciation_routes
from app.api.pronunciations import Pronunciations
from app.api.services import Services
from app.api.session_routes import session_routes
from app.api.slow_readers import ReaderLimit
from app.api.speech_job import SpeechPlanner
from app.api.speech_response import DROPPED
from app.api.speech_routes import speech_routes
from app.api.voice_routes import voice_routes
from app.api.voices import Voices
from app.auth.api_keys import KeyRing
from app.auth.quota import Ledger, UsageCounter
from app.auth.request_limiter import RequestLimiter
from app.config import Limits
from app.core import HealthStatus
from app.errors import ServeError
from app.key_settings import AdmissionSettings, KeySettings, SocketLimits
from app.sessions.model_state import ModelLoader
from app.synthesizer import Synthesizer
from app.voices.catalogue import VoiceCatalogue
from app.voices.library import VoiceLibrary
from app.voices.recordings import RecordingReader

# A late server is not sent away: a balancer would cut its callers off, and all replicas may be late
# together. New sessions are refused by admission, one by one.
_SPEAKING = (HealthStatus.OK, HealthStatus.LATE)
HEALTH_WITHIN_S = 1.0  # the list of models does not wait longer for the machine's speed
ASK_EVERY_S = 1.0  # the machine's speed hardly changes, and many clients list the models


def create_app(
    synthesizer: Synthesizer,
    limits: Limits,
    *,
    sockets: SocketLimits | None = None,
    voice_aliases: Mapping[str, str] = MappingProxyType({}),
    library: VoiceLibrary | None = None,
    keys: Sequence[KeySettings] = (),
    origins: tuple[str, ...] = (),
    ledger: Ledger | None = None,
    admission: AdmissionSettings | None = None,
    loader: ModelLoader | None = None,
    dialects: Collection[DialectName] = DIALECTS,
    returns_request_id: bool = True,
    refused: CountRefusal = uncounted,
) -> FastAPI:
    """Without `keys` the application serves its own machine alone. `ledger` counts what keys use;
    the default counts in this process. Without `loader` the model stays in memory.

    `returns_request_id` is False where the server in front sends X-Request-ID back already, as Ray
    Serve's proxy does: clients would read the doubled header as "id, id". `refused` is called with
    the code of every error that is sent to a client."""
    app = FastAPI(
        title="chatterbox-serve",
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        responses=openapi.REFUSALS,
    )
    app.add_middleware(
        RequestGuard,
        returns_id=returns_request_id,
        ring=KeyRing(keys),
        origins=tuple(origins),
        limiter=RequestLimiter(admission or AdmissionSettings()),
        limits=limits,
        refused=refused,
    )
    if origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=origins,
            allow_methods=["GET", "POST", "PUT", "PATCH", "DELETE"],
            allow_headers=["Authorization", "Content-Type", "X-API-Key", REQUEST_ID],
            expose_headers=[
                REQUEST_ID,
                "X-Sample-Rate",
                "X-Seed",
                DROPPED,
                PREBUFFER,
                "Retry-After",
            ],
        )
    app.add_middleware(ReaderLimit, stalled_s=limits.stalled_reader_s)
    errors.install(app, refused)
    catalogue = VoiceCatalogue(synthesizer.card, voice_aliases)
    voices = Voices(catalogue, library, synthesizer, RecordingReader())
    services = Services(
        synthesizer,
        SpeechPlanner(synthesizer.card, limits),
        voices,
        Pronunciations(voices),
        sockets or SocketLimits(),
        AdmissionControl(ledger or UsageCounter(), limits.live_s),
        refused,
    )
    app.include_router(speech_routes(services))
    app.include_router(plan_routes(services))
    app.include_router(session_routes(synthesizer))
    app.include_router(voice_routes(services))
    app.include_router(pronunciation_routes(services.pronunciations))
    app.include_router(desktop_routes(services))
    app.include_router(model_routes(services, loader))
    app.include_router(_model_list_routes(services))
    for router in dialect_routes(services, dialects):
        app.include_router(router)
    openapi.install(app, dialect_sockets(dialects))
    return app


def _model_list_routes(services: Services) -> APIRouter:
    router = APIRouter(default_response_class=JsonResponse)
    synthesizer = services.synthesizer
    created = int(time.time())
    real_time = _RealTime(synthesizer)

    async def model() -> Model:
        card = synthesizer.card()
        return Model(
            id=card.name,
            created=created,
            family=card.family,
            languages=card.languages,
            tags=card.tags,
            realtime=await real_time.answer(),
        )

    @router.get("/", response_model=None, responses=answer(ServerName))
    async def root() -> Response:
        """The name of this server. Needs no API key."""
        return JsonResponse(ServerName())

    @router.get("/health", response_model=None, responses=HEALTH)
    async def health() -> Response:
        """The status and the load of each stage; 503 unless it is ok or late. Needs no API key."""
        now = await synthesizer.health()
        return JsonResponse(asdict(now), 200 if now.status in _SPEAKING else 503)

    @router.get("/v1/models", response_model=None, responses=answer(ModelList))
    async def models() -> Response:
        """The model that is served."""
        return JsonResponse(ModelList(data=(await model(),)))

    @router.get("/v1/models/{model_id:path}", response_model=None, responses=answer(Model))
    async def one_model(model_id: str) -> Response:
        """The model that is served, by its name."""
        services.planner.check_model(model_id)
        return JsonResponse(await model())

    return router


class _RealTime:
    """Whether the machine speaks the model in real time; None while that is not measured, or was
    not told in time."""

    def __init__(self, synthesizer: Synthesizer) -> None:
        self._synthesizer = synthesizer
        self._answer: bool | None = None
        self._asked_s = -math.inf

    async def answer(self) -> bool | None:
        now_s = time.monotonic()
        if now_s - self._asked_s >= ASK_EVERY_S:
            self._asked_s = now_s
            with suppress(ServeError, TimeoutError):
                async with asyncio.timeout(HEALTH_WITHIN_S):
                    self._answer = (await self._synthesizer.health()).realtime
        return self._answer
