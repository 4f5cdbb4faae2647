"""T3 as a Serve deployment: a thin shim over the token stage.

The engine is imported by the replica alone: this module is also the application builder's.
"""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import TYPE_CHECKING

from ray import serve

from app.config import ServeArgs
from app.core import SessionKey, SpeechTokens, TokenRequest
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
    from app.engine.t3.step_log import SessionSteps


class T3:
    """Speech tokens, streamed."""

    def __init__(self, args: ServeArgs, device: str) -> None:
        self._stage = self.open_stage(args, device)
        self._leases = Leases()
        context = serve.get_replica_context()
        self._follower = RegistryFollower(
            registry_actors(context.app_name, args),
            ReplicaId("t3", context.replica_id.unique_id),
            self._stage.cancel,
            heartbeat=self._heartbeat,
            leases=self._leases,
            counts=self._stage.counts,
        )
        self._follower.start()

    def open_stage(self, args: ServeArgs, device: str) -> "T3Stage":
        from app.engine.stages.t3 import T3Stage

        return T3Stage.open(args, device)

    async def tokens(self, request: TokenRequest) -> AsyncGenerator[SpeechTokens, None]:
        parts = held(self._stage.tokens(request), request.key, self._leases, self._follower.left)
        async with aclosing(parts) as held_parts:
            async for part in held_parts:
                yield part

    async def session_steps(self, key: SessionKey) -> "SessionSteps":
        """What this replica has done for a session, while it is remembered."""
        return self._stage.engine.step_log.summary(key)

    async def record_autoscaling_stats(self) -> dict[str, float]:
        """Serve asks for it where a config's autoscaling policy is ours."""
        return load_of(self._stage.stats())

    async def check_health(self) -> None:
        health.check(self._stage)

    def _heartbeat(self) -> Heartbeat:
        failed = self._stage.failure is not None
        return Heartbeat(self._stage.stats(), failed, self._leases.keys())
