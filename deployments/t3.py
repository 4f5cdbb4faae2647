"""T3 as a Serve deployment: a thin shim over the token stage."""

from collections.abc import AsyncGenerator
from contextlib import aclosing

from ray import serve

from app.config import ServeArgs
from app.core import SessionKey, SpeechTokens, TokenRequest
from app.engine.stages import T3Stage
from app.engine.t3.ledger import SessionSteps
from app.sessions import Follower, Report
from deployments.registry import RegistryFollower, registry_actor


class T3:
    """Speech tokens, streamed."""

    def __init__(self, args: ServeArgs, device: str, registry: str) -> None:
        self._stage = self.open_stage(args, device)
        actor = registry_actor(registry, args.limits.remember_s, args.limits.live_s)
        replica = serve.get_replica_context().replica_id.unique_id
        follower = Follower("t3", replica)
        self._follower = RegistryFollower(actor, follower, self._stop, self._report)
        self._follower.start()

    def open_stage(self, args: ServeArgs, device: str) -> T3Stage:
        return T3Stage.open(args, device)

    async def tokens(self, request: TokenRequest) -> AsyncGenerator[SpeechTokens, None]:
        async with aclosing(self._stage.tokens(request)) as groups:
            async for group in groups:
                yield group

    async def ledger(self, key: SessionKey) -> SessionSteps:
        """What this replica has done for a session, while it is remembered."""
        return self._stage.engine.ledger.summary(key)

    async def check_health(self) -> None:
        if (fault := self._stage.failure) is not None:
            raise RuntimeError("the T3 engine has stopped") from fault

    async def _stop(self, key: SessionKey) -> int:
        return (await self._stage.cancel(key)).num_tokens

    def _report(self) -> Report:
        return Report(self._stage.stats(), failed=self._stage.failure is not None)
