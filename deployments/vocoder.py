"""The vocoder as a Serve deployment: it pulls T3's stream through T3's handle and voices it.

Only the replica imports the engine: the application's builder imports this module too.
"""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import TYPE_CHECKING

from ray.serve.handle import DeploymentHandle

from app.config import ServeArgs
from app.core import AudioChunk, SpeechTokens, SynthesisRequest, TokenRequest
from deployments.loading import load
from deployments.replica_log import log_as_serve_does
from deployments.stage_replica import StageReplica
from deployments.streams import owned

if TYPE_CHECKING:
    from app.engine.stages.vocoder import VocoderStage


class HandleTokens:
    """T3 behind a handle. Implements app.engine.pipeline.TokenSource."""

    def __init__(self, t3: "DeploymentHandle[object]") -> None:
        self._tokens = t3.options(method_name="tokens", stream=True)

    def tokens(self, request: TokenRequest) -> AsyncGenerator[SpeechTokens, None]:
        return owned(lambda: self._tokens.remote(request))


class Vocoder:
    """Audio chunks, streamed. A generator cannot be handed to another deployment, so the vocoder
    opens T3's stream itself, one for each segment."""

    def __init__(self, args: ServeArgs, device: str, t3: "DeploymentHandle[object]") -> None:
        log_as_serve_does()
        stage = load(lambda: self.open_stage(args, device))
        self._pipeline = stage.pipeline(HandleTokens(t3))
        self._replica = StageReplica(args, vocoder=stage)

    def open_stage(self, args: ServeArgs, device: str) -> "VocoderStage":
        from app.engine.stages.vocoder import VocoderStage

        return VocoderStage.open(args, device)

    async def speak(self, request: SynthesisRequest) -> AsyncGenerator[AudioChunk, None]:
        await self._replica.can_voice()
        async with aclosing(
            self._replica.held(self._pipeline.speak(request), request.key)
        ) as chunks:
            async for chunk in chunks:
                yield chunk

    async def record_autoscaling_stats(self) -> dict[str, float]:
        return self._replica.load()

    async def check_health(self) -> None:
        self._replica.check_health()
