"""The ingress as a Serve deployment: the HTTP app over stages that live behind handles."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing

from fastapi import FastAPI
from ray import serve
from ray.exceptions import RayActorError, RayTaskError
from ray.serve.handle import DeploymentHandle

from app.api.app import create_app
from app.config import KeySettings, ServeArgs
from app.core import (
    AudioChunk,
    CancelAck,
    Health,
    ModelCard,
    SessionKey,
    SessionReport,
    StageStats,
    SynthesisRequest,
)
from app.errors import NotEnrolled, Unavailable
from app.sessions.live import LiveSessions
from app.sessions.replica_table import Heartbeat
from app.sessions.table import ReplicaId
from app.voices.library import VoiceLibrary, is_reference
from deployments.detached_tasks import DetachedTasks
from deployments.follower import RegistryFollower
from deployments.metrics import SessionMetrics
from deployments.model_loading import StageLoader
from deployments.registry import RemoteRegistry, registry_actors
from deployments.streams import owned, translated
from deployments.usage import RemoteUsage, usage_actor

KEPT = 1000  # voices known to be enrolled; of others the enroller is asked again


class HandleSynthesizer:
    """Implements app.core.Synthesizer over the vocoder's and the enroller's handles."""

    def __init__(
        self,
        card: ModelCard,
        registry: RemoteRegistry,
        sessions: LiveSessions,
        vocoder: "DeploymentHandle[object]",
        enroller: "DeploymentHandle[object] | None",
    ) -> None:
        self._card = card
        self._registry = registry
        self._sessions = sessions
        self._speak = vocoder.options(method_name="speak", stream=True)
        self._enrol = enroller.options(method_name="enrol") if enroller is not None else None
        self._enrolling: dict[str, asyncio.Task[None]] = {}  # by voice; kept once done
        self._background = DetachedTasks()  # whoever asked first may hang up

    def card(self) -> ModelCard:
        return self._card

    def speak(self, request: SynthesisRequest) -> AsyncGenerator[AudioChunk, None]:
        return self._sessions.speak(request, self._open, self._ready)

    async def cancel(self, key: SessionKey) -> CancelAck:
        return await self._registry.cancel(key)

    async def session(self, key: SessionKey) -> SessionReport | None:
        return await self._registry.session(key)

    async def health(self) -> Health:
        return await self._registry.health()

    async def enrol(self, voice: str) -> None:
        if self._enrol is None:
            raise Unavailable("no enroller is deployed")
        await self._ready_again(voice)

    async def _open(self, request: SynthesisRequest) -> AsyncGenerator[AudioChunk, None]:
        """Opened once more where the stages know the voice no longer: its recording is another
        one, or what was prepared of it has gone."""
        is_heard = False
        try:
            async with aclosing(self._chunks(request)) as chunks:
                async for chunk in chunks:
                    is_heard = True
                    yield chunk
            return
        except NotEnrolled:
            if is_heard or self._enrol is None:
                raise
        await self._ready_again(request.voice)
        async with aclosing(self._chunks(request)) as chunks:
            async for chunk in chunks:
                yield chunk

    def _chunks(self, request: SynthesisRequest) -> AsyncGenerator[AudioChunk, None]:
        return owned(self._speak.remote(request))

    async def _ready_again(self, voice: str) -> None:
        """As `_ready`, whatever was known before; not again for those who wait for it already."""
        if (task := self._enrolling.get(voice)) is not None and task.done():
            del self._enrolling[voice]
        await self._ready(voice)

    async def _ready(self, voice: str) -> None:
        """Enrol a reference voice before its first use; once for all who wait for it."""
        is_recorded = voice in self._card.recorded_voices or is_reference(voice)
        if self._enrol is None or not is_recorded:
            return
        for done in [name for name, task in self._enrolling.items() if task.done()][:-KEPT]:
            del self._enrolling[done]
        task = self._enrolling.get(voice)
        if task is None or (task.done() and (task.cancelled() or task.exception() is not None)):
            task = self._enrolling[voice] = self._background.start(self._enrolled(voice))
        await asyncio.shield(task)

    async def _enrolled(self, voice: str) -> None:
        assert self._enrol is not None
        try:
            await self._enrol.remote(voice)
        except (RayTaskError, RayActorError) as fault:
            raise translated(fault) from fault


def _ledger(app_name: str, keys: tuple[KeySettings, ...]) -> RemoteUsage | None:
    """None where there is nothing to count."""
    if not any(key.quota.is_limited for key in keys):
        return None
    return RemoteUsage(usage_actor(app_name))


@serve.ingress()
class Ingress:
    def __init__(
        self,
        args: ServeArgs,
        card: ModelCard,
        vocoder: "DeploymentHandle[object]",
        enroller: "DeploymentHandle[object] | None",
        *,
        keys: tuple[KeySettings, ...],
    ) -> None:
        context = serve.get_replica_context()
        actors = registry_actors(context.app_name, args)
        limits = args.limits
        metrics = SessionMetrics()
        client = RemoteRegistry(actors, limits, metrics)
        sessions = LiveSessions(client, limits)
        self._app = create_app(
            HandleSynthesizer(card, client, sessions, vocoder, enroller),
            limits,
            sockets=args.sockets,
            voice_aliases=args.voice_aliases,
            library=None if args.uploads is None else VoiceLibrary(args.uploads),
            keys=keys,
            origins=args.access.origins,
            ledger=_ledger(context.app_name, keys),
            is_alone=args.ingress_replicas == 1,
            switch=StageLoader(client, args),
            returns_request_id=False,  # Serve's proxy sends it back
            refused=metrics.refused,
        )

        async def stop(key: SessionKey) -> None:
            sessions.stop(key)  # its end is told by `finish`, when no sound follows

        async def restore(shard: int) -> None:
            await client.restore(shard, sessions.keys())

        def heartbeat() -> Heartbeat:
            return Heartbeat(StageStats(live=len(sessions)), sessions=sessions.keys())

        replica = ReplicaId("ingress", context.replica_id.unique_id)
        self._follower = RegistryFollower(
            actors, replica, stop, heartbeat=heartbeat, on_epoch=restore
        )
        self._follower.start()

    def __serve_build_asgi_app__(self) -> FastAPI:
        return self._app
