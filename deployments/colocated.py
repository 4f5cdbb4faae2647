"""Both engines in one actor: for one small GPU that serves few callers. Tokens cross no process.

Only the replica imports the engines: the application's builder imports this module too.
"""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import TYPE_CHECKING

from app.config import ServeArgs
from app.core import AudioChunk, SynthesisRequest
from deployments.loading import load
from deployments.replica_log import log_as_serve_does
from deployments.stage_replica import StageReplica

if TYPE_CHECKING:
    from app.engine.stages.t3 import T3Stage
    from app.engine.stages.vocoder import VocoderStage


class Colocated:
    """Audio chunks, streamed."""

    def __init__(self, args: ServeArgs, device: str) -> None:
        log_as_serve_does()
        t3, vocoder = load(lambda: self.open_stages(args, device))
        self._pipeline = vocoder.pipeline(t3)
        self._replica = StageReplica(args, t3=t3, vocoder=vocoder)

    def open_stages(self, args: ServeArgs, device: str) -> "tuple[T3Stage, VocoderStage]":
        from app.engine.stages.t3 import T3Stage
        from app.engine.stages.vocoder import VocoderStage

        return T3Stage.open(args, device), VocoderStage.open(args, device)

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
