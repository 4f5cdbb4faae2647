"""The vocoder as a Serve deployment: pulls T3's stream through its handle and voices it."""

from collections.abc import AsyncGenerator
from contextlib import aclosing

from ray import serve
from ray.serve.handle import DeploymentHandle

from app.config import ServeArgs
from app.core import (
    AudioChunk,
    SessionKey,
    SpeechTokens,
    SynthesisRequest,
    TokenRequest,
)
from app.engine.stages import VocoderStage
from app.sessions import Follower, Report
from deployments.registry import RegistryFollower, registry_actor
from deployments.streams import owned


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

    def __init__(
        self, args: ServeArgs, device: str, registry: str, t3: "DeploymentHandle[object]"
    ) -> None:
        self._stage = VocoderStage.open(args, device)
        self._pipeline = self._stage.pipeline(HandleTokens(t3))
        actor = registry_actor(registry, args.limits.remember_s, args.limits.live_s)
        replica = serve.get_replica_context().replica_id.unique_id
        follower = Follower("vocoder", replica)
        self._follower = RegistryFollower(actor, follower, self._stop, self._report)
        self._follower.start()

    async def speak(self, request: SynthesisRequest) -> AsyncGenerator[AudioChunk, None]:
        async with aclosing(self._pipeline.speak(request)) as chunks:
            async for chunk in chunks:
                yield chunk

    async def check_health(self) -> None:
        if (fault := self._stage.failure) is not None:
            raise RuntimeError("the vocoder engine has stopped") from fault

    async def _stop(self, key: SessionKey) -> int:
        return (await self._stage.cancel(key)).num_tokens

    def _report(self) -> Report:
        return Report(self._stage.stats(), failed=self._stage.failure is not None)
