"""Everything in one process: both engines, the registry and the sessions, without Ray.

For tests, for benchmarks, and for programs that use the engine as a library. The pipeline and the
rules of a session are the same as over Serve. Knows nothing about Ray or HTTP.
"""

import asyncio
import time
from collections.abc import AsyncGenerator, Coroutine
from contextlib import AbstractContextManager

import torch

from app.barge_in import BargeInTimes
from app.config import ServeArgs
from app.core import (
    AudioChunk,
    CancelAck,
    Group,
    Health,
    HealthStatus,
    SessionKey,
    SessionReport,
    SynthesisRequest,
    VoiceRef,
)
from app.engine.stages.card import model_card
from app.engine.stages.enrol import EnrolStage
from app.engine.stages.t3 import T3Stage
from app.engine.stages.vocoder import VocoderStage
from app.model_card import ModelCard
from app.sessions.live import LiveSessions
from app.sessions.registry import Registry
from app.sessions.replica_table import health_of
from app.sessions.smooth_admission import Work
from app.sessions.smoothness import Capacity
from app.sessions.table import Claim, Confirmation, ReplicaId, SessionEnd
from app.sessions.tasks import TaskSet
from app.spoken_words import Transcript, WordAccount

_T3 = ReplicaId("t3", "local")
_VOCODER = ReplicaId("vocoder", "local")


class LocalSynthesizer:
    """Implements app.core.Synthesizer. Use it on one event loop."""

    def __init__(
        self, card: ModelCard, t3: T3Stage, vocoder: VocoderStage, args: ServeArgs
    ) -> None:
        self.t3 = t3
        self.vocoder = vocoder
        self._card = card
        self._args = args
        self._capacity = Capacity()
        self._enroller: EnrolStage | None = None
        self._enrolling = asyncio.Lock()
        self._pipeline = vocoder.pipeline(t3)
        self._registry = LocalRegistry(Registry(args.limits.remember_s, args.limits.live_s))
        self._sessions = LiveSessions(self._registry, args.limits)
        vocoder.use_cells(vocoder.choose_cells(t3.measured))
        t3.start()
        vocoder.start()

    @classmethod
    def open(cls, args: ServeArgs) -> "LocalSynthesizer":
        device = args.device
        if device == "auto":
            device = "cuda" if torch.cuda.is_available() else "cpu"
        card = model_card(args)
        return cls(card, T3Stage.open(args, device), VocoderStage.open(args, device), args)

    def card(self) -> ModelCard:
        return self._card

    def speak(
        self, request: SynthesisRequest, words: WordAccount | None = None
    ) -> AsyncGenerator[AudioChunk, None]:
        return self._sessions.speak(request, self._pipeline.speak, words=words)

    async def hand_over(self, key: SessionKey, sending: Coroutine[object, object, None]) -> None:
        await self._sessions.hand_over(key, sending)

    def reader_stalled(self, key: SessionKey) -> None:
        self._sessions.reader_stalled(key)

    def group(self, key: SessionKey) -> AbstractContextManager[Group]:
        return self._sessions.groups.open(key)

    async def cancel(self, key: SessionKey, played_ms: float | None = None) -> CancelAck:
        acknowledging = asyncio.ensure_future(self._registry.cancel(key, played_ms))
        await asyncio.sleep(0)  # the registry has logged the cancel before anything is stopped
        self._sessions.stop(key)
        for follower, stage in ((_T3, self.t3), (_VOCODER, self.vocoder)):
            await self._registry.confirm(follower, key, await stage.cancel(key))
        return await acknowledging

    async def interrupted(self, key: SessionKey, times: BargeInTimes) -> None:
        await self._registry.interrupted(key, times)

    async def session(self, key: SessionKey) -> SessionReport | None:
        return await self._registry.session(key)

    async def transcript(self, key: SessionKey) -> Transcript | None:
        return await self._registry.transcript(key)

    async def live(self, tenant: str | None) -> tuple[SessionKey, ...]:
        return await self._registry.live(tenant)

    async def health(self) -> Health:
        failed = self.t3.failure or self.vocoder.failure
        stages = {"t3": self.t3.stats(), "vocoder": self.vocoder.stats()}
        status = HealthStatus.FAILED if failed else HealthStatus.OK
        return health_of(status, stages, self._capacity.follow(stages))

    async def enrol(self, voice: VoiceRef) -> None:
        async with self._enrolling:  # the first use loads the models, once
            if self._enroller is None:
                self._enroller = await asyncio.to_thread(EnrolStage.open, self._args)
        await asyncio.to_thread(self._enroller.enrol, voice)

    def close(self) -> None:
        self.t3.close()
        self.vocoder.close()


class LocalRegistry:
    """The registry in this process. Implements app.sessions.registry_client.RegistryClient."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._finishing = TaskSet()

    async def claim(self, key: SessionKey, work: Work) -> Claim:
        return await self._registry.claim(key, work)

    async def wait_s(self, key: SessionKey) -> float:
        return await self._registry.wait_s(key)

    async def claim_group(self, key: SessionKey) -> Claim:
        return await self._registry.claim_group(key)

    async def cancel(self, key: SessionKey, played_ms: float | None = None) -> CancelAck:
        """Also waits for T3's confirmation, which the caller gives through `confirm`."""
        self._registry.follow(_T3)
        return await self._registry.cancel(key, time.monotonic(), played_ms=played_ms)

    async def confirm(
        self, follower: ReplicaId, key: SessionKey, confirmation: Confirmation
    ) -> None:
        await self._registry.confirm(follower, key, confirmation)

    async def interrupted(self, key: SessionKey, times: BargeInTimes) -> None:
        await self._registry.interrupted(key, times)

    async def session(self, key: SessionKey) -> SessionReport | None:
        return await self._registry.session(key)

    async def transcript(self, key: SessionKey) -> Transcript | None:
        return await self._registry.transcript(key)

    async def live(self, tenant: str | None) -> tuple[SessionKey, ...]:
        return await self._registry.live(tenant)

    def finish(self, key: SessionKey, end: SessionEnd) -> None:
        self._finishing.start(self._registry.finish(key, end))

    finish_group = finish
