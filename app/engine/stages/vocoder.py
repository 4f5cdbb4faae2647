"""The vocoder opened from a configuration: what one replica of it holds. As stages/t3.py."""

import time
from functools import partial

import torch

from app.config import Limits, ServeArgs, VocoderSettings
from app.core import Mark, SessionKey, StageStats, TokenSource
from app.engine.checkpoint.source import open_checkpoint
from app.engine.checkpoint.spec import S3GenSpec
from app.engine.conditionals import S3GenConditionals
from app.engine.device.threads import on_own_terms
from app.engine.loop import EngineLoop, Within
from app.engine.pipeline import SpeechPipeline, VocoderLoop
from app.engine.s3gen.engine import VocoderEngine, build_vocoder_engine
from app.engine.s3gen.warmup import warm_vocoder
from app.engine.stages.precision import dtype_of
from app.engine.stats import CellCounts
from app.engine.voices.provider import VoiceProvider
from app.sessions.table import Confirmation


class VocoderStage:
    """Speech tokens in, sound out."""

    def __init__(
        self, voices: VoiceProvider, engine: VocoderEngine, within: Within, limits: Limits
    ) -> None:
        self._voices = voices
        self._engine = engine
        warm_vocoder(engine, voices)
        self._loop: VocoderLoop = EngineLoop(
            engine, "vocoder", within, step_timeout_s=limits.step_timeout_s
        )
        engine.abandon_if(self._loop.cancel_is_due)
        self._loop.start()

    @classmethod
    def open(cls, args: ServeArgs, device: str) -> "VocoderStage":
        checkpoint = open_checkpoint(args.model, args.revision)
        place = torch.device(device)
        dtype = dtype_of(args.vocoder.dtype, place, on_cuda=torch.float32)
        vocoder = checkpoint.load_vocoder(place, dtype)
        spec = checkpoint.spec.s3gen
        engine = build_vocoder_engine(vocoder, heard_as(args.vocoder, spec), spec.euler_steps)
        voices = VoiceProvider(checkpoint, args.voices, args.voices_cache, uploads=args.uploads)
        return cls(voices, engine, partial(on_own_terms, place), args.limits)

    @property
    def failure(self) -> BaseException | None:
        return self._loop.failure

    @property
    def hung(self) -> BaseException | None:
        """Of a step that takes longer than `limits.step_timeout_s`."""
        return self._loop.hung

    def pipeline(self, tokens: TokenSource) -> SpeechPipeline:
        return SpeechPipeline(tokens, self._loop, self._conditionals)

    async def _conditionals(self, voice: str) -> S3GenConditionals:
        return (await self._voices.found(voice)).s3gen

    async def cancel(self, key: SessionKey) -> Confirmation:
        told_s = time.monotonic()
        stopped = await self._loop.cancel(key)
        calls = [call for call in self._engine.call_log.copy() if call.key == key]
        num_after = sum(call.started_s > told_s for call in calls) if calls else None
        marks = {Mark.VOCODER_DROPPED: time.monotonic()}
        return Confirmation(stopped.num_tokens, num_after, marks)

    def stats(self) -> StageStats:
        return self._loop.stats()

    @property
    def counts(self) -> CellCounts:
        return self._engine.counts

    def close(self) -> None:
        self._loop.close()


def heard_as(settings: VocoderSettings, spec: S3GenSpec) -> VocoderSettings:
    """With the policy that suits the model, unless another is asked for."""
    policy = settings.policy or ("chunked" if spec.chunk_masks else "window")
    return settings.model_copy(update={"policy": policy})
