"""The ingress as a Serve deployment: the HTTP app over stages that live behind handles.

Only the replica imports the HTTP app: the application's builder imports this module too.
"""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine
from contextlib import AbstractContextManager
from functools import partial
from typing import TYPE_CHECKING

from fastapi import FastAPI
from ray import serve
from ray.exceptions import RayActorError, RayTaskError
from ray.serve.handle import DeploymentHandle

from app.barge_in import BargeInTimes
from app.config import ServeArgs
from app.core import (
    AudioChunk,
    CancelAck,
    Group,
    Health,
    HealthStatus,
    SessionKey,
    SessionReport,
    StageStats,
    SynthesisRequest,
    VoiceRef,
)
from app.errors import NotEnrolled, ServeError, Unavailable
from app.key_settings import KeySettings
from app.model_card import ModelCard
from app.sessions.live import LiveSessions
from app.sessions.replica_table import Heartbeat
from app.sessions.table import ReplicaId
from app.sessions.tasks import TaskSet
from app.spoken_words import Transcript, WordAccount
from app.voices.library import VoiceLibrary
from deployments.follower import RegistryFollower
from deployments.gcs_watch import GcsWatch, gcs_asker
from deployments.metrics import SessionMetrics
from deployments.model_loading import StageLoader
from deployments.registry import RemoteRegistry, registry_actors
from deployments.replica_log import log_as_serve_does
from deployments.session_observer import ObservedRegistry
from deployments.streams import owned, translated
from deployments.usage import RemoteUsage, usage_actor
from deployments.voice_preparation import VoicePreparation, wake_when_served

if TYPE_CHECKING:
    from app.api.realtime.parts import RealtimeParts


class HandleSynthesizer:
    """Implements app.core.Synthesizer over the vocoder's handle and the registry."""

    def __init__(
        self,
        card: ModelCard,
        registry: ObservedRegistry,
        sessions: LiveSessions,
        vocoder: "DeploymentHandle[object]",
        voices: VoicePreparation | None,
        *,
        gcs: GcsWatch,
    ) -> None:
        """`voices`: None where no enroller is deployed."""
        self._card = card
        self._registry = registry
        self._sessions = sessions
        self._speak = vocoder.options(method_name="speak", stream=True)
        self._voices = voices
        self._gcs = gcs

    def card(self) -> ModelCard:
        return self._card

    def speak(
        self, request: SynthesisRequest, words: WordAccount | None = None
    ) -> AsyncGenerator[AudioChunk, None]:
        prepare = None if self._voices is None else self._voices.prepare
        return self._sessions.speak(request, self._open, prepare, words)

    async def hand_over(self, key: SessionKey, sending: Coroutine[object, object, None]) -> None:
        await self._sessions.hand_over(key, sending)

    def reader_stalled(self, key: SessionKey) -> None:
        self._sessions.reader_stalled(key)

    def group(self, key: SessionKey) -> AbstractContextManager[Group]:
        return self._sessions.groups.open(key)

    async def cancel(self, key: SessionKey, played_ms: float | None = None) -> CancelAck:
        return await self._registry.cancel(key, played_ms)

    async def interrupted(self, key: SessionKey, times: BargeInTimes) -> None:
        await self._registry.interrupted(key, times)

    async def session(self, key: SessionKey) -> SessionReport | None:
        return await self._registry.session(key)

    async def transcript(self, key: SessionKey) -> Transcript | None:
        return await self._registry.transcript(key)

    async def live(self, tenant: str | None) -> tuple[SessionKey, ...]:
        return await self._registry.live(tenant)

    async def health(self) -> Health:
        if self._gcs.is_away:
            return Health(HealthStatus.CLUSTER_AWAY)
        return await self._registry.health()

    async def enrol(self, voice: VoiceRef) -> None:
        if self._voices is None:
            raise Unavailable("No enroller is deployed.")
        await self._voices.prepare_again(voice)

    def _open(self, request: SynthesisRequest) -> AsyncGenerator[AudioChunk, None]:
        async def prepare_again(error: ServeError) -> None:
            """The stages know the voice no longer: its recording was replaced, or its conditionals
            are gone from the store."""
            if self._voices is None or not isinstance(error, NotEnrolled):
                raise error
            with self._sessions.preparing(request.key):
                await self._voices.prepare_again(request.voice)

        return owned(lambda: self._speak.remote(request), prepare_again)


def _voices(enroller: "DeploymentHandle[object] | None") -> VoicePreparation | None:
    if enroller is None:
        return None
    return VoicePreparation(_asking(enroller, "enrol"))


def _asking(enroller: "DeploymentHandle[object]", method: str) -> Callable[..., Awaitable[None]]:
    """A call of the enroller's method, which raises our errors."""
    call = enroller.options(method_name=method)

    async def ask(*arguments: object) -> None:
        try:
            await call.remote(*arguments)
        except (RayTaskError, RayActorError) as error:
            raise translated(error) from error

    return ask


def _usage(app_name: str, keys: tuple[KeySettings, ...]) -> RemoteUsage | None:
    """None where no key has a limit: there is nothing to count."""
    if not any(key.quota.is_limited for key in keys):
        return None
    return RemoteUsage(usage_actor(app_name))


def realtime_of(
    args: ServeArgs, hearing: "DeploymentHandle[object] | None"
) -> "RealtimeParts | None":
    """None: the server does not hear, and imports no client for language models."""
    if hearing is None:
        return None
    from deployments.realtime import realtime_parts

    return realtime_parts(args, hearing)


def _cluster_away(sessions: LiveSessions) -> None:
    message = "Ray's GCS has not answered for limits.gcs_silence_s."
    sessions.fail(Unavailable(message, code=HealthStatus.CLUSTER_AWAY))


@serve.ingress()
class Ingress:
    def __init__(
        self,
        args: ServeArgs,
        card: ModelCard,
        vocoder: "DeploymentHandle[object]",
        enroller: "DeploymentHandle[object] | None",
        hearing: "DeploymentHandle[object] | None" = None,
        *,
        keys: tuple[KeySettings, ...],
    ) -> None:
        from app.api.app import create_app
        from app.text.plan import load_languages

        log_as_serve_does()
        context = serve.get_replica_context()
        actors = registry_actors(context.app_name, args)
        metrics = SessionMetrics()
        remote = RemoteRegistry(actors, args.limits)
        registry = ObservedRegistry(remote, metrics)
        loader = StageLoader(remote, args)
        load = loader.load_on_demand if args.limits.load_on_demand else None
        sessions = LiveSessions(registry, args.limits, load=load)
        gcs = GcsWatch(gcs_asker(), args.limits.gcs_silence_s, partial(_cluster_away, sessions))
        self._app = create_app(
            HandleSynthesizer(card, registry, sessions, vocoder, _voices(enroller), gcs=gcs),
            args.limits,
            sockets=args.sockets,
            voice_aliases=args.voice_aliases,
            model_aliases=args.model_aliases,
            library=None if args.uploads is None else VoiceLibrary(args.uploads),
            keys=keys,
            origins=args.access.origins,
            ledger=_usage(context.app_name, keys),
            admission=args.admission,
            loader=loader,
            dialects=args.dialects,
            realtime=realtime_of(args, hearing),
            returns_request_id=False,  # Serve's proxy sends it back
            refused=metrics.refused,
        )

        async def stop(key: SessionKey) -> None:
            sessions.stop(key)  # `finish` tells the registry, when no audio follows

        async def restore(shard: int) -> None:
            await remote.restore(shard, sessions.keys(), sessions.groups.keys())

        def heartbeat() -> Heartbeat:
            keys = sessions.keys() | sessions.groups.keys()
            return Heartbeat(StageStats(live=len(sessions)), sessions=keys)

        replica = ReplicaId("ingress", context.replica_id.unique_id)
        self._follower = RegistryFollower(
            actors, replica, stop, heartbeat=heartbeat, on_epoch=restore
        )
        self._follower.start()
        self._tasks = TaskSet(detached=True)
        self._tasks.start(gcs.follow())
        self._tasks.start(asyncio.to_thread(load_languages, card.languages))
        if enroller is not None and args.uploads is not None:
            self._tasks.start(wake_when_served(_asking(enroller, "wake"), registry.health))

    def __serve_build_asgi_app__(self) -> FastAPI:
        return self._app
