"""Both engines in one actor: for one small GPU that serves few callers. Tokens cross no process.

Only the replica imports the engines: the application's builder imports this module too.
"""

from collections.abc import AsyncGenerator
from contextlib import aclosing

from app.config import ServeArgs
from app.core import AudioChunk, SynthesisRequest
from deployments.loading import without_collection
from deployments.replica_log import log_as_serve_does
from deployments.stage_replica import StageReplica


class Colocated:
    """Audio chunks, streamed."""

    def __init__(self, args: ServeArgs, device: str) -> None:
        log_as_serve_does()
        with without_collection():
            from app.engine.stages.t3 import T3Stage
            from app.engine.stages.vocoder import VocoderStage

            t3 = T3Stage.open(args, device)
            vocoder = VocoderStage.open(args, device)
        self._pipeline = vocoder.pipeline(t3)
        self._replica = StageReplica(args, {"t3": t3, "vocoder": vocoder})

    async def speak(self, request: SynthesisRequest) -> AsyncGenerator[AudioChunk, None]:
        async with aclosing(
            self._replica.held(self._pipeline.speak(request), request.key)
        ) as chunks:
            async for chunk in chunks:
                yield chunk

    async def record_autoscaling_stats(self) -> dict[str, float]:
        return self._replica.load()

    async def check_health(self) -> None:
        self._replica.check_health()
