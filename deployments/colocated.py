"""Both engines in one actor: for one small GPU that serves few callers. Tokens cross no process.

The engines are imported by the replica alone: this module is also the application builder's.
"""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from functools import partial
from typing import TYPE_CHECKING

from ray import serve

from app.config import ServeArgs
from app.core import AudioChunk, SessionKey, SynthesisRequest
from app.sessions.leases import Leases
from app.sessions.replica_table import Heartbeat
from app.sessions.table import ReplicaId
from deployments import health
from deployments.follower import RegistryFollower
from deployments.registry import registry_actors
from deployments.scaling import load_of
from deployments.streams import held

if TYPE_CHECKING:
    from app.engine.stages.t3 import T3Stage
    from app.engine.stages.vocoder import VocoderStage


class Colocated:
    """Audio chunks, streamed. Follows the cancel log once for each stage that it holds: a cancel
    waits for T3's word."""

    def __init__(self, args: ServeArgs, device: str) -> None:
        from app.engine.stages.t3 import T3Stage
        from app.engine.stages.vocoder import VocoderStage

        self._t3 = T3Stage.open(args, device)
        self._vocoder = VocoderStage.open(args, device)
        self._pipeline = self._vocoder.pipeline(self._t3)
        self._leases = Leases()
        context = serve.get_replica_context()
        replica = context.replica_id.unique_id
        actors = registry_actors(context.app_name, args)
        self._t3_follower = RegistryFollower(
            actors,
            ReplicaId("t3", replica),
            self._t3.cancel,
            heartbeat=partial(self._heartbeat, self._t3),
            counts=self._t3.counts,
        )
        self._vocoder_follower = RegistryFollower(
            actors,
            ReplicaId("vocoder", replica),
            self._vocoder.cancel,
            heartbeat=partial(self._heartbeat, self._vocoder),
            leases=self._leases,
            counts=self._vocoder.counts,
        )
        self._t3_follower.start()
        self._vocoder_follower.start()

    async def speak(self, request: SynthesisRequest) -> AsyncGenerator[AudioChunk, None]:
        parts = held(self._pipeline.speak(request), request.key, self._leases, self._left)
        async with aclosing(parts) as held_parts:
            async for part in held_parts:
                yield part

    def _left(self, key: SessionKey) -> None:
        self._t3_follower.left(key)
        self._vocoder_follower.left(key)

    async def record_autoscaling_stats(self) -> dict[str, float]:
        """Serve asks for it where a config's autoscaling policy is ours."""
        return load_of(self._vocoder.stats())

    async def check_health(self) -> None:
        health.check(self._t3, self._vocoder)

    def _heartbeat(self, stage: "T3Stage | VocoderStage") -> Heartbeat:
        return Heartbeat(stage.stats(), stage.failure is not None, self._leases.keys())
