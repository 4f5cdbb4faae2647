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
from app.core import AudioChunk, CancelAck, Health, ModelCard, SessionKey, SynthesisRequest
from app.sessions import Follower
from app.speaking import LiveSessions
from deployments.ledger import RemoteLedger, ledger_actor
from deployments.registry import RegistryFollower, RemoteRegistry, registry_actor
from deployments.streams import owned, translated


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

    def card(self) -> ModelCard:
        return self._card

    def speak(self, request: SynthesisRequest) -> AsyncGenerator[AudioChunk, None]:
        return self._sessions.speak(request, self._open)

    async def cancel(self, key: SessionKey) -> CancelAck:
        return await self._registry.cancel(key)

    async def health(self) -> Health:
        return await self._registry.health()

    async def _open(self, request: SynthesisRequest) -> AsyncGenerator[AudioChunk, None]:
        await self._ready(request.voice)
        stream: AsyncGenerator[AudioChunk, None] = owned(self._speak.remote(request))
        async with aclosing(stream) as chunks:
            async for chunk in chunks:
                yield chunk

    async def _ready(self, voice: str) -> None:
        """Enrol a reference voice before its first use; once for all who wait for it."""
        if self._enrol is None or voice not in self._card.recorded_voices:
            return
        task = self._enrolling.get(voice)
        if task is None or (task.done() and (task.cancelled() or task.exception() is not None)):
            task = self._enrolling[voice] = asyncio.ensure_future(self._enrolled(voice))
        await asyncio.shield(task)

    async def _enrolled(self, voice: str) -> None:
        assert self._enrol is not None
        try:
            await self._enrol.remote(voice)
        except (RayTaskError, RayActorError) as fault:
            raise translated(fault) from fault


def _ledger(name: str, keys: tuple[KeySettings, ...], args: ServeArgs) -> RemoteLedger | None:
    """None where there is nothing to count."""
    if not any(key.quota.is_limited for key in keys):
        return None
    return RemoteLedger(ledger_actor(name, args.limits.live_s))


@serve.ingress()
class Ingress:
    def __init__(
        self,
        args: ServeArgs,
        card: ModelCard,
        registry: str,
        vocoder: "DeploymentHandle[object]",
        enroller: "DeploymentHandle[object] | None",
        *,
        keys: tuple[KeySettings, ...],
    ) -> None:
        actor = registry_actor(registry, args.limits.remember_s, args.limits.live_s)
        client = RemoteRegistry(actor)
        sessions = LiveSessions(client, args.limits.request_timeout_s)
        self._app = create_app(
            HandleSynthesizer(card, client, sessions, vocoder, enroller),
            args.limits,
            sockets=args.sockets,
            voice_aliases=args.voice_aliases,
            keys=keys,
            origins=args.access.origins,
            ledger=_ledger(f"{registry}-ledger", keys, args),
            returns_request_id=False,  # Serve's proxy sends it back
        )
        replica = serve.get_replica_context().replica_id.unique_id

        async def stop(key: SessionKey) -> int:
            sessions.stop(key)
            return 0

        self._follower = RegistryFollower(actor, Follower("ingress", replica), stop)
        self._follower.start()

    def __serve_build_asgi_app__(self) -> FastAPI:
        return self._app
