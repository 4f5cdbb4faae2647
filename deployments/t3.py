"""T3 as a Serve deployment: a thin shim over the token stage.

Only the replica imports the engine: the application's builder imports this module too.
"""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import TYPE_CHECKING

from app.config import ServeArgs
from app.core import SessionKey, SpeechTokens, TokenRequest
from deployments.loading import load
from deployments.replica_log import log_as_serve_does
from deployments.stage_replica import StageReplica

if TYPE_CHECKING:
    from app.engine.stages.t3 import T3Stage
    from app.engine.t3.step_log import SessionSteps


class T3:
    """Speech tokens, streamed."""

    def __init__(self, args: ServeArgs, device: str) -> None:
        log_as_serve_does()
        self._stage = load(lambda: self.open_stage(args, device))
        self._replica = StageReplica(args, t3=self._stage)

    def open_stage(self, args: ServeArgs, device: str) -> "T3Stage":
        from app.engine.stages.t3 import T3Stage

        return T3Stage.open(args, device)

    async def tokens(self, request: TokenRequest) -> AsyncGenerator[SpeechTokens, None]:
        async with aclosing(self._replica.held(self._stage.tokens(request), request.key)) as groups:
            async for group in groups:
                yield group

    async def session_steps(self, key: SessionKey) -> "SessionSteps":
        """The steps that this replica has run for a session, while they are remembered."""
        return self._stage.engine.step_log.summary(key)

    async def record_autoscaling_stats(self) -> dict[str, float]:
        return self._replica.load()

    async def check_health(self) -> None:
        self._replica.check_health()
