"""The vocoder opened from a configuration: the content of one vocoder replica. As stages/t3.py."""

import time
from dataclasses import replace
from functools import partial

import torch

from app.config import ServeArgs, VocoderSettings
from app.core import Cost, Mark, SessionKey, StageStats, VoiceRef
from app.engine.checkpoint.source import open_checkpoint
from app.engine.checkpoint.spec import S3GenSpec
from app.engine.conditionals import S3GenConditionals
from app.engine.device import heap
from app.engine.device.convolution_plans import keep_plans
from app.engine.device.int8_linear import check_int8
from app.engine.device.threads import computing_with, run_engine_thread
from app.engine.loop import EngineLoop, RunThread
from app.engine.pipeline import SpeechPipeline, TokenSource, VocoderLoop
from app.engine.s3gen.build import build_vocoder_engine
from app.engine.s3gen.call_stage import OnStage, ignore_stage
from app.engine.s3gen.engine import VocoderEngine
from app.engine.s3gen.ladders import Ladder, choose
from app.engine.s3gen.messages import UseCells
from app.engine.s3gen.warmup import warm_vocoder
from app.engine.start import StartRule
from app.engine.stats import CellCounts
from app.engine.voices.provider import VoiceProvider
from app.engine.warmup import Timer
from app.sessions.recurrence import held_back_s
from app.sessions.smoothness import Shape, stage_bears, vocoder_bears
from app.sessions.table import Confirmation


class VocoderStage:
    """Speech tokens in, sound out."""

    def __init__(
        self, args: ServeArgs, voices: VoiceProvider, engine: VocoderEngine, run_thread: RunThread
    ) -> None:
        self._args = args
        self._voices = voices
        self.engine = engine
        self.measure()
        self._loop: VocoderLoop = EngineLoop(
            engine, "vocoder", run_thread, step_timeout_s=args.limits.step_timeout_s
        )
        engine.abandon_if(self._loop.cancel_is_due)

    @classmethod
    def open(cls, args: ServeArgs, device: str, on_stage: OnStage = ignore_stage) -> "VocoderStage":
        keep_plans()
        checkpoint = open_checkpoint(args.model, args.revision)
        place = torch.device(device)
        with computing_with(args.vocoder.threads) as num_threads:
            in_int8 = args.vocoder.dtype == "int8"
            if in_int8:
                check_int8("vocoder.dtype", place)
            vocoder = checkpoint.load_vocoder(place, one_by_one=in_int8)
            spec = checkpoint.spec
            engine = build_vocoder_engine(
                vocoder,
                with_policy(args.vocoder, spec.s3gen),
                spec.s3gen.euler_steps,
                on_stage,
                mutes_last_token=spec.mutes_last_token,
            )
            heap.trim()
            voices = VoiceProvider.of(checkpoint, args)
            run_thread = partial(run_engine_thread, place, num_threads=num_threads)
            return cls(args, voices, engine, run_thread)

    def measure(self, timer: Timer | None = None) -> Cost | None:
        """Warm the engine up and measure what a cell costs; None: not measured. Call before
        `start`. `timer`: by the device where None."""
        warm_vocoder(self.engine, self._voices, timer)
        return self.engine.speed.measured

    def start(self) -> None:
        """Start the engine's thread. It inherits the share of a core of the calling thread."""
        self._loop.start()

    @property
    def failure(self) -> BaseException | None:
        return self._loop.failure

    @property
    def hung(self) -> BaseException | None:
        """An error while a step takes longer than `limits.step_timeout_s`."""
        return self._loop.hung

    def pipeline(self, tokens: TokenSource) -> SpeechPipeline:
        return SpeechPipeline(
            tokens,
            self._loop,
            self._conditionals,
            lead_s=self._args.limits.lead_s,
            max_tokens=self.engine.max_tokens,
            start=StartRule(self._shape, self._loop.stats, self._args.limits.first_audio_s),
        )

    def _shape(self) -> Shape:
        """Of the streams that begin now."""
        t3, halo_frames = self._args.t3, self._args.vocoder.halo_frames
        ladder = self._loop.stats().cells
        held_s, num_rows = held_back_s(halo_frames), self.engine.max_rows
        return Shape(ladder, held_s, t3.first_group, t3.group, num_rows)

    @property
    def can_choose_cells(self) -> bool:
        """False where the configuration has fixed them, and where the speed is not known: a model
        without a built-in voice is not measured."""
        return self._args.vocoder.cells is None and self.engine.speed.measured is not None

    def choose_cells(self, t3: Cost | None) -> Ladder:
        """The cells that suit this machine, where they can be chosen, else those in force. `t3`:
        what a decode step cost in T3's warm-up."""
        settings, own = self._args.vocoder, self.engine.speed.measured
        if t3 is None or own is None or not self.can_choose_cells:
            return self.stats().cells
        return choose(t3, own, settings.halo_frames)

    def use_cells(self, ladder: Ladder) -> None:
        """Call before the first session."""
        self._loop.send(UseCells(ladder))

    async def _conditionals(self, voice: VoiceRef) -> S3GenConditionals:
        return (await self._voices.fetch(voice)).s3gen

    async def cancel(self, key: SessionKey) -> Confirmation:
        told_s = time.monotonic()
        stopped = await self._loop.cancel(key)
        calls = [call for call in self.engine.call_log.copy() if call.key == key]
        num_after = sum(call.started_s > told_s for call in calls) if calls else None
        marks = {Mark.VOCODER_DROPPED: time.monotonic()}
        return Confirmation(stopped.num_tokens, num_after, marks)

    def stats(self) -> StageStats:
        stats = self._loop.stats()
        if stats.cost is None:
            return stats
        bears = partial(vocoder_bears, shape=self._shape(), slots=stats.slots_total)
        full_cost = self.engine.speed.full_cost
        return replace(stats, bears=stage_bears(bears, stats.cost, full_cost))

    @property
    def counts(self) -> CellCounts:
        return self.engine.counts

    def close(self) -> None:
        self._loop.close()


def with_policy(settings: VocoderSettings, spec: S3GenSpec) -> VocoderSettings:
    """The settings with a policy: the one they name, else the one that suits the model."""
    policy = settings.policy or ("chunked" if spec.chunk_masks else "window")
    return settings.model_copy(update={"policy": policy})
