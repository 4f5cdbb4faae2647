"""Builds the HTTP interface of a Synthesizer, without globals: a process may have several, and
tests put a fake synthesizer behind one."""

from collections.abc import Collection, Mapping, Sequence
from types import MappingProxyType

from fastapi import FastAPI

from app.agent_settings import DIALECTS, DialectName
from app.api import errors, openapi
from app.api.admission import AdmissionControl
from app.api.cross_origin import add_origins
from app.api.desktop import desktop_routes
from app.api.dialects.routes import dialect_routes, dialect_sockets
from app.api.errors import CountRefusal, uncounted
from app.api.head_requests import HeadAsGet
from app.api.list_routes import list_routes
from app.api.middleware import RequestGuard
from app.api.model_routes import model_routes
from app.api.page import page_routes
from app.api.paths import NormalisedPaths, ServedPaths
from app.api.plan_routes import plan_routes
from app.api.pronunciation_routes import pronunciation_routes
from app.api.pronunciations import Pronunciations
from app.api.realtime.parts import RealtimeParts
from app.api.realtime.routes import SOCKETS as REALTIME_SOCKETS
from app.api.realtime.routes import realtime_routes
from app.api.services import Services
from app.api.session_routes import session_routes
from app.api.slow_readers import ReaderLimit
from app.api.speech_job import SpeechPlanner
from app.api.speech_routes import speech_routes
from app.api.voice_routes import voice_routes
from app.api.voices import Voices
from app.api.word_routes import word_routes
from app.auth.api_keys import KeyRing
from app.auth.quota import Ledger, UsageCounter
from app.auth.request_limiter import RequestLimiter
from app.config import Limits
from app.key_settings import AdmissionSettings, KeySettings, SocketLimits
from app.sessions.model_state import ModelLoader
from app.synthesizer import Synthesizer
from app.voices.catalogue import VoiceCatalogue
from app.voices.library import VoiceLibrary
from app.voices.recordings import RecordingReader


def create_app(
    synthesizer: Synthesizer,
    limits: Limits,
    *,
    sockets: SocketLimits | None = None,
    voice_aliases: Mapping[str, str] = MappingProxyType({}),
    model_aliases: Mapping[str, str] = MappingProxyType({}),
    library: VoiceLibrary | None = None,
    keys: Sequence[KeySettings] = (),
    origins: tuple[str, ...] = (),
    ledger: Ledger | None = None,
    admission: AdmissionSettings | None = None,
    loader: ModelLoader | None = None,
    dialects: Collection[DialectName] = DIALECTS,
    realtime: RealtimeParts | None = None,
    returns_request_id: bool = True,
    refused: CountRefusal = uncounted,
) -> FastAPI:
    """Without `keys` the application serves its own machine alone. `ledger` counts what keys use;
    the default counts in this process. Without `loader` the model stays in memory. Without
    `realtime` the server does not hear, and `/v1/realtime` is not served.

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
    app.add_middleware(HeadAsGet)
    app.add_middleware(NormalisedPaths)
    add_origins(app, tuple(origins), refused)
    app.add_middleware(ReaderLimit, stalled_s=limits.stalled_reader_s)
    catalogue = VoiceCatalogue(synthesizer.card, voice_aliases)
    voices = Voices(catalogue, library, synthesizer, RecordingReader())
    services = Services(
        synthesizer,
        SpeechPlanner(synthesizer.card, limits, model_aliases),
        voices,
        Pronunciations(voices),
        sockets or SocketLimits(),
        AdmissionControl(ledger or UsageCounter(), limits.live_s),
        refused,
    )
    routers = (
        speech_routes(services),
        plan_routes(services),
        session_routes(synthesizer),
        word_routes(synthesizer),
        voice_routes(services),
        pronunciation_routes(services.pronunciations),
        desktop_routes(services),
        model_routes(services, loader),
        list_routes(services, hears=realtime is not None),
        page_routes(),
        *dialect_routes(services, dialects),
        *(() if realtime is None else (realtime_routes(services, realtime),)),
    )
    for router in routers:
        app.include_router(router)
    routes = [*app.routes, *(route for router in routers for route in router.routes)]
    errors.install(app, refused, ServedPaths(routes).explained)
    hears = {} if realtime is None else REALTIME_SOCKETS
    openapi.install(app, {**dialect_sockets(dialects), **hears})
    return app
