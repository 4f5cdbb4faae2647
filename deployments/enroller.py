"""The enroller as a Serve deployment: a reference recording -> conditionals in the voice store. It
runs on a CPU, starts when the server can speak or with the first recording, and ends when there was
nothing to enrol for a while.

Only the replica imports the models: the application's builder imports this module too.
"""

import asyncio
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from app.config import ServeArgs
from app.core import VoiceRef
from deployments.loading import load, yield_to_engines
from deployments.metrics import EnrolmentMetrics
from deployments.replica_log import log_as_serve_does

if TYPE_CHECKING:
    from app.engine.stages.enrol import EnrolStage


class Enroller:
    def __init__(self, args: ServeArgs) -> None:
        log_as_serve_does()
        self._stage = load(lambda: self.open_stage(args))
        self._threads = ThreadPoolExecutor(initializer=yield_to_engines)
        self._metrics = EnrolmentMetrics()

    def open_stage(self, args: ServeArgs) -> "EnrolStage":
        from app.engine.stages.enrol import EnrolStage

        return EnrolStage.open(args)

    async def wake(self) -> None:
        """Returns when recordings can be enrolled at once."""

    async def enrol(self, voice: VoiceRef) -> None:
        """Returns when T3 and vocoder replicas can find the voice's conditionals."""
        began_s, failed = time.monotonic(), True
        try:
            loop = asyncio.get_running_loop()
            await loop.run_in_executor(self._threads, self._stage.enrol, voice)
            failed = False
        finally:
            self._metrics.ended(time.monotonic() - began_s, failed=failed)
