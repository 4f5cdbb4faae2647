"""T3 opened from a configuration: what one replica of it holds.

A stage is a checkpoint's modules, an engine, and the loop that owns them. Deployments wrap stages;
LocalSynthesizer joins them in one process. Each stage is a module of its own, which imports what
that stage uses: a replica holds one. Knows nothing about Ray, HTTP or sessions.
"""

import time
from collections.abc import AsyncGenerator, Callable
from collections.abc import Sequence as Rows
from dataclasses import replace
from functools import partial

import torch

from app.config import Limits, ServeArgs
from app.core import (
    NO_MARKS,
    FinishReason,
    Mark,
    Marks,
    SessionKey,
    SpeechTokens,
    StageStats,
    TokenRequest,
)
from app.engine.checkpoint.source import Checkpoint, open_checkpoint
from app.engine.checkpoint.tokenizer import TextTokenizer
from app.engine.device.threads import on_own_terms
from app.engine.loop import EngineLoop, Within
from app.engine.stages.precision import dtype_of
from app.engine.stats import TokenCounts
from app.engine.t3.engine import TokenEngine
from app.engine.t3.sequence import AddSequence, Sequence
from app.engine.t3.warmup import warm_t3
from app.engine.voices.provider import VoiceProvider
from app.sessions.recent_cancels import RecentCancels
from app.sessions.table import Confirmation

OnStep = Callable[[Rows[Sequence]], None]
TOKENS_TO_SPARE = 10  # a text of one character is not one and a half tokens


class T3Stage:
    """Text in, speech tokens out. Implements app.core.TokenSource."""

    def __init__(
        self,
        checkpoint: Checkpoint,
        voices: VoiceProvider,
        engine: TokenEngine,
        within: Within,
        limits: Limits,
    ) -> None:
        self._cancelled = RecentCancels(limits.remember_s)
        self._spec = checkpoint.spec
        self._tokenizer: TextTokenizer = checkpoint.tokenizer()
        self._voices = voices
        self.engine = engine
        warm_t3(engine, self._spec, self._tokenizer, voices)
        self._loop: EngineLoop[AddSequence, SpeechTokens] = EngineLoop(
            engine, "T3", within, step_timeout_s=limits.step_timeout_s
        )
        self._loop.start()

    @classmethod
    def open(cls, args: ServeArgs, device: str, on_step: OnStep | None = None) -> "T3Stage":
        checkpoint = open_checkpoint(args.model, args.revision)
        place = torch.device(device)
        dtype = dtype_of(args.t3.dtype, place, on_cuda=torch.bfloat16)
        t3 = checkpoint.load_t3(place, dtype)
        engine = TokenEngine.from_upstream(t3, checkpoint.spec, args.t3, on_step=on_step)
        voices = VoiceProvider(checkpoint, args.voices, args.voices_cache, uploads=args.uploads)
        within = partial(on_own_terms, place)
        return cls(checkpoint, voices, engine, within, args.limits)

    @property
    def failure(self) -> BaseException | None:
        return self._loop.failure

    @property
    def hung(self) -> BaseException | None:
        """Of a step that takes longer than `limits.step_timeout_s`."""
        return self._loop.hung

    async def tokens(self, request: TokenRequest) -> AsyncGenerator[SpeechTokens, None]:
        """Raises BadRequest for a text that T3 cannot take, NotFound for a voice."""
        conditionals = await self._voices.found(request.voice)
        message = AddSequence(
            request.key,
            request.segment,
            self._tokenizer.encode(request.text, request.language),
            conditionals.t3,
            request.voice,
            replace(request.sampling, max_tokens=self._max_tokens(request)),
            request.lead_s,
        )
        self.engine.check(message)
        if request.key in self._cancelled:  # between segments, or since this one was asked for
            yield SpeechTokens(request.key, request.segment, 0, (), FinishReason.CANCELLED)
            return
        queued_s = time.monotonic()
        with self._loop.open(request.key, request.segment, message) as groups:
            finish = None
            try:
                async for group in groups:
                    finish = group.finish
                    is_first = group.start == 0
                    marks = self._marks(request.key, queued_s) if is_first else NO_MARKS
                    yield replace(group, marks=marks)
            finally:
                if finish is None:  # its consumer has left, or the engine failed
                    self.engine.step_log.abort(request.key, time.monotonic())

    def _marks(self, key: SessionKey, queued_s: float) -> Marks:
        marks = {Mark.QUEUED: queued_s, Mark.FIRST_TOKEN: time.monotonic()}
        if (span := self.engine.step_log.span_s(key)) is not None:
            marks[Mark.PREFILL] = span[0]
        return marks

    def _max_tokens(self, request: TokenRequest) -> int:
        """A model that rarely stops by itself is held to a length its text can have."""
        asked = request.sampling.max_tokens
        per_char = self._spec.max_tokens_per_char
        if per_char is None or request.sampling.ignore_eos:
            return asked
        return min(asked, round(per_char * len(request.text)) + TOKENS_TO_SPARE)

    async def cancel(self, key: SessionKey) -> Confirmation:
        """No segment of the session is begun after this."""
        self._cancelled.add(key)
        step_log = self.engine.step_log
        told_s = step_log.abort(key, time.monotonic())
        stopped = await self._loop.cancel(key)
        span = step_log.span_s(key)
        if span is None:
            return Confirmation(stopped.num_tokens)
        marks = {Mark.T3_TOLD: told_s, Mark.LAST_STEP: span[1], Mark.T3_STOPPED: time.monotonic()}
        return Confirmation(stopped.num_tokens, step_log.summary(key).num_after_abort, marks)

    def stats(self) -> StageStats:
        return self._loop.stats()

    @property
    def counts(self) -> TokenCounts:
        return self.engine.counts

    def close(self) -> None:
        self._loop.close()
