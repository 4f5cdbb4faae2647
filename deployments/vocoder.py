"""The vocoder as a Serve deployment: pulls T3's stream through its handle and voices it.

The engine is imported by the replica alone: this module is also the application builder's.
"""

from collections.abc import AsyncGenerator
from contextlib import aclosing

from ray import serve
from ray.serve.handle import DeploymentHandle

from app.config import ServeArgs
from app.core import AudioChunk, SpeechTokens, SynthesisRequest, TokenRequest
from app.sessions.leases import Leases
from app.sessions.replica_table import Heartbeat
from app.sessions.table import ReplicaId
from deployments import health
from deployments.follower import RegistryFollower
from deployments.registry import registry_actors
from deployments.scaling import load_of
from deployments.streams import held, owned


class HandleTokens:
    """T3 behind a handle. Implements app.core.TokenSource."""

    def __init__(self, t3: "DeploymentHandle[object]") -> None:
        self._tokens = t3.options(method_name="tokens", stream=True)

    async def tokens(self, request: TokenRequest) -> AsyncGenerator[SpeechTokens, None]:
        stream: AsyncGenerator[SpeechTokens, None] = owned(self._tokens.remote(request))
        async with aclosing(stream) as groups:
            async for group in groups:
                yield group


class Vocoder:
    """Audio chunks, streamed. A generator cannot be handed to another deployment, so the vocoder
    opens T3's stream itself, one per segment."""

    def __init__(self, args: ServeArgs, device: str, t3: "DeploymentHandle[object]") -> None:
        from app.engine.stages.vocoder import VocoderStage

        self._stage = VocoderStage.open(args, device)
        self._pipeline = self._stage.pipeline(HandleTokens(t3))
        self._leases = Leases()
        context = serve.get_replica_context()
        self._follower = RegistryFollower(
            registry_actors(context.app_name, args),
            ReplicaId("vocoder", context.replica_id.unique_id),
            self._stage.cancel,
            heartbeat=self._heartbeat,
            leases=self._leases,
            counts=self._stage.counts,
        )
        self._follower.start()

    async def speak(self, request: SynthesisRequest) -> AsyncGenerator[AudioChunk, None]:
        parts = held(self._pipeline.speak(request), request.key, self._leases, self._follower.left)
        async with aclosing(parts) as held_parts:
            async for part in held_parts:
                yield part

    async def record_autoscaling_stats(self) -> dict[str, float]:
        """Serve asks for it where a config's autoscaling policy is ours."""
        return load_of(self._stage.stats())

    async def check_health(self) -> None:
        health.check(self._stage)

    def _heartbeat(self) -> Heartbeat:
        failed = self._stage.failure is not None
        return Heartbeat(self._stage.stats(), failed, self._leases.keys())
