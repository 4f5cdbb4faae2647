"""T3 opened from a configuration: the content of one T3 replica.

A stage is a checkpoint's modules, an engine, and the loop that owns them. Deployments wrap stages;
LocalSynthesizer joins them in one process. Each stage is a module of its own and imports its own
libraries only, because a replica holds one stage. Knows nothing about Ray, HTTP or sessions.
"""

import math
import time
from collections.abc import AsyncGenerator, Callable
from collections.abc import Sequence as Seq
from dataclasses import replace
from functools import partial

import torch

from app.config import Limits, ServeArgs
from app.core import (
    TOKENS_PER_S,
    Cost,
    FinishReason,
    Mark,
    SessionKey,
    SpeechTokens,
    StageStats,
    TokenRequest,
    VoiceRef,
)
from app.engine.checkpoint.source import Checkpoint, open_checkpoint
from app.engine.checkpoint.text_origins import WordIds, word_ids
from app.engine.device import heap
from app.engine.device.convolution_plans import keep_plans
from app.engine.device.int8_linear import check_int8
from app.engine.device.threads import computing_with, run_engine_thread
from app.engine.loop import EngineLoop, RunThread
from app.engine.stats import TokenCounts
from app.engine.t3.alignment_heads import AlignmentHeads
from app.engine.t3.calibration import calibrate
from app.engine.t3.engine import TokenEngine
from app.engine.t3.find_heads import find_heads
from app.engine.t3.model import T3Model
from app.engine.t3.sequence import Sequence, SequenceRequest
from app.engine.t3.warmup import warm_t3
from app.engine.voices.provider import VoiceProvider
from app.engine.warmup import Timer
from app.sessions.recent_cancels import RecentCancels
from app.sessions.smoothness import stage_bears, t3_bears
from app.sessions.table import Confirmation
from app.t3_settings import Precision, T3Settings

OnStep = Callable[[Seq[Sequence]], None]
TOKENS_TO_SPARE = 10  # a text of one character may need more than its share of tokens


class T3Stage:
    """Text in, speech tokens out. Implements app.engine.pipeline.TokenSource."""

    def __init__(
        self,
        checkpoint: Checkpoint,
        voices: VoiceProvider,
        engine: TokenEngine,
        run_thread: RunThread,
        limits: Limits,
    ) -> None:
        self.engine = engine
        self._cancelled = RecentCancels(limits.remember_s)
        self._lead_s = math.inf if limits.lead_s is None else limits.lead_s
        self._spec = checkpoint.spec
        self._tokenizer = checkpoint.tokenizer()
        self._voices = voices
        self.measure()
        self._loop: EngineLoop[Sequence, SpeechTokens] = EngineLoop(
            engine, "T3", run_thread, step_timeout_s=limits.step_timeout_s
        )

    @classmethod
    def open(cls, args: ServeArgs, device: str, on_step: OnStep | None = None) -> "T3Stage":
        keep_plans()  # a vocoder may share the process
        checkpoint = open_checkpoint(args.model, args.revision)
        place = torch.device(device)
        with computing_with(args.t3.threads) as num_threads:
            voices = VoiceProvider.of(checkpoint, args)
            spec, model = checkpoint.spec, _load(checkpoint, args.t3.dtype, place)
            heads = _heads_of(checkpoint, model, voices, args.t3)
            engine = TokenEngine(model, args.t3, spec.tail_tokens, heads=heads, on_step=on_step)
            run_thread = partial(run_engine_thread, place, num_threads=num_threads)
            return cls(checkpoint, voices, engine, run_thread, args.limits)

    def measure(self, timer: Timer | None = None) -> Cost | None:
        """Warm the engine up and measure what a step costs; None: not measured. Call before
        `start`. `timer`: by the device where None."""
        warm_t3(self.engine, self._spec, self._tokenizer, self._voices, timer)
        return self.measured

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

    async def tokens(self, request: TokenRequest) -> AsyncGenerator[SpeechTokens, None]:
        """Raises BadRequest for a text that T3 cannot speak, NotFound for an unknown voice."""
        conditionals = await self._voices.fetch(request.voice)
        ids, words = self._text_ids(request)
        sequence = self.engine.prepare(
            SequenceRequest(
                request.key,
                request.segment,
                ids,
                conditionals.t3,
                replace(request.sampling, max_tokens=self._max_tokens(request)),
                request.lead_s,
                TOKENS_PER_S * request.speed,
                self._lead_s if request.is_paced else math.inf,
                words,
            )
        )
        if request.key in self._cancelled:  # between two segments, or on the way here
            yield SpeechTokens(request.key, request.segment, 0, (), FinishReason.CANCELLED)
            return
        queued_s = time.monotonic()
        with self._loop.open(request.key, request.segment, sequence) as groups:
            finish = None
            try:
                async for group in groups:
                    finish = group.finish
                    yield group if group.start else self._with_marks(group, queued_s)
            finally:
                if finish is None:  # the consumer has left, or the engine has failed
                    self.engine.step_log.abort(request.key, time.monotonic())

    def _text_ids(self, request: TokenRequest) -> tuple[tuple[int, ...], tuple[WordIds, ...]]:
        """With those of the words, where the model tells when they are said: to place the ids in
        the text takes milliseconds of the event loop."""
        if not (request.words and self.engine.heads.heads):
            return self._tokenizer.encode(request.text, request.language), ()
        text = self._tokenizer.place(request.text, request.language)
        return text.ids, word_ids(request.text, request.words, text.origins)

    def _with_marks(self, group: SpeechTokens, queued_s: float) -> SpeechTokens:
        """A segment's first group, with the times that led to it and the speed now."""
        marks = {Mark.QUEUED: queued_s, Mark.FIRST_TOKEN: time.monotonic()}
        if (span := self.engine.step_log.span_s(group.key)) is not None:
            marks[Mark.PREFILL] = span[0]
        return replace(group, marks=marks, cost=self.engine.speed.cost)

    def _max_tokens(self, request: TokenRequest) -> int:
        """A model that rarely stops by itself is limited to a length that its text can need."""
        asked = request.sampling.max_tokens
        per_char = self._spec.max_tokens_per_char
        if per_char is None or request.sampling.ignore_eos:
            return asked
        return min(asked, round(per_char * len(request.text)) + TOKENS_TO_SPARE)

    async def cancel(self, key: SessionKey) -> Confirmation:
        """Stop the session. None of its segments begins after this."""
        self._cancelled.add(key)
        step_log = self.engine.step_log
        told_s = step_log.abort(key, time.monotonic())
        stopped = await self._loop.cancel(key)
        span = step_log.span_s(key)
        if span is None:
            return Confirmation(stopped.num_tokens)
        marks = {Mark.T3_TOLD: told_s, Mark.LAST_STEP: span[1], Mark.T3_STOPPED: time.monotonic()}
        return Confirmation(stopped.num_tokens, step_log.summary(key).num_after_abort, marks)

    @property
    def measured(self) -> Cost | None:
        """What a decode step cost in the warm-up; None: not measured."""
        return self.engine.speed.measured

    def stats(self) -> StageStats:
        stats = self._loop.stats()
        if stats.cost is None:
            return stats
        bears = partial(t3_bears, slots=stats.slots_total)
        full_cost = self.engine.speed.full_cost
        return replace(stats, bears=stage_bears(bears, stats.cost, full_cost))

    @property
    def counts(self) -> TokenCounts:
        return self.engine.counts

    def close(self) -> None:
        self._loop.close()


def _heads_of(
    checkpoint: Checkpoint, model: T3Model, voices: VoiceProvider, settings: T3Settings
) -> AlignmentHeads:
    own = voices.built_in()

    def find() -> AlignmentHeads:
        voice = voices.get(VoiceRef(own[0])).t3
        return calibrate(model, checkpoint.spec, checkpoint.tokenizer(), voice)

    return find_heads(checkpoint.model, settings, find if own else None)


def _load(checkpoint: Checkpoint, precision: Precision, device: torch.device) -> T3Model:
    """Raises ConfigError for int8 on a machine that has no kernels for it."""
    in_int8, dtype = precision == "int8", _dtype_of(precision, device)
    if in_int8:
        check_int8("t3.dtype", device)
    weights = checkpoint.t3_weights(device, dtype, on_demand=in_int8)
    model = T3Model(checkpoint.spec.t3, weights, device, dtype, in_int8=in_int8)
    del weights
    heap.trim()
    return model


def _dtype_of(precision: Precision, device: torch.device) -> torch.dtype:
    """Of everything but weights in int8."""
    if precision == "auto":
        return torch.bfloat16 if device.type == "cuda" else torch.float32
    if precision == "int8":
        return torch.float32
    dtype: torch.dtype = getattr(torch, precision)
    return dtype
