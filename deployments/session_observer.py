"""What becomes of sessions, as metrics and as log lines."""

import asyncio

from app.barge_in import BargeInTimes
from app.core import CancelAck, CancelState, Health, Mark, SessionKey, SessionReport
from app.sessions.smooth_admission import Work
from app.sessions.table import Claim, SessionEnd
from app.sessions.tasks import TaskSet
from app.spoken_words import Transcript
from deployments.metrics import SessionMetrics
from deployments.registry import RemoteRegistry
from deployments.session_log import log_end

CONFIRMED_WITHIN_S = 1.0  # the replicas have confirmed a stop when this time has passed


class ObservedRegistry:
    """The registry with a count and a log line of each end and each acknowledgement. Implements
    app.sessions.registry_client.RegistryClient."""

    def __init__(self, registry: RemoteRegistry, metrics: SessionMetrics) -> None:
        self._registry = registry
        self._metrics = metrics
        self._tasks = TaskSet(detached=True)

    async def claim(self, key: SessionKey, work: Work) -> Claim:
        return await self._registry.claim(key, work)

    async def wait_s(self, key: SessionKey) -> float:
        return await self._registry.wait_s(key)

    async def claim_group(self, key: SessionKey) -> Claim:
        return await self._registry.claim_group(key)

    def finish_group(self, key: SessionKey, end: SessionEnd) -> None:
        """Not counted: its sessions are."""
        self._registry.finish_group(key, end)

    async def cancel(self, key: SessionKey, played_ms: float | None = None) -> CancelAck:
        """Counted even if the caller hangs up before the acknowledgement."""
        return await self._tasks.run(self._cancel(key, played_ms))

    async def _cancel(self, key: SessionKey, played_ms: float | None) -> CancelAck:
        ack = await self._registry.cancel(key, played_ms)
        self._metrics.acknowledged(ack)
        if ack.state in (CancelState.STOPPED, CancelState.STOPPING):
            self._tasks.start(self._measure_stop(key))
        return ack

    def finish(self, key: SessionKey, end: SessionEnd) -> None:
        self._metrics.ended(end)
        log_end(key, end)
        if Mark.DISCONNECTED in end.marks:
            self._tasks.start(self._measure_stop(key))
        self._registry.finish(key, end)

    async def interrupted(self, key: SessionKey, times: BargeInTimes) -> None:
        await self._registry.interrupted(key, times)

    async def session(self, key: SessionKey) -> SessionReport | None:
        return await self._registry.session(key)

    async def transcript(self, key: SessionKey) -> Transcript | None:
        return await self._registry.transcript(key)

    async def live(self, tenant: str | None) -> tuple[SessionKey, ...]:
        return await self._registry.live(tenant)

    async def health(self) -> Health:
        return await self._registry.health()

    async def _measure_stop(self, key: SessionKey) -> None:
        await asyncio.sleep(CONFIRMED_WITHIN_S)
        report = await self.session(key)
        if report is not None:
            self._metrics.stopped(report.tokens_discarded, report.marks)
