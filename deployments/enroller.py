"""The enroller as a Serve deployment: reference wav -> conditionals in the voice store. On CPU,
started by the first reference voice, gone again when nobody enrols.

The models are imported by the replica alone: this module is also the application builder's.
"""

import asyncio
import time
from concurrent.futures import ThreadPoolExecutor

from app.config import ServeArgs
from deployments.metrics import EnrolmentMetrics


class Enroller:
    def __init__(self, args: ServeArgs) -> None:
        from app.engine.device.threads import give_way
        from app.engine.stages.enrol import EnrolStage

        self._stage = EnrolStage.open(args)
        self._threads = ThreadPoolExecutor(initializer=give_way)  # no more than an engine's
        self._metrics = EnrolmentMetrics()

    async def enrol(self, voice: str) -> None:
        """Returns when the voice's conditionals are where T3 and vocoder replicas find them."""
        began_s, failed = time.monotonic(), True
        try:
            loop = asyncio.get_running_loop()
            await loop.run_in_executor(self._threads, self._stage.enrol, voice)
            failed = False
        finally:
            self._metrics.ended(time.monotonic() - began_s, failed=failed)
