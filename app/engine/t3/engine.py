"""The token engine: speech tokens of many segments from one copy of the weights, step by step.

A step is schedule, run, postprocess. The tokens leave in small groups. Runs on the thread of its
EngineLoop. Knows nothing about text, sound, Ray or clients.
"""

import logging
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from collections.abc import Sequence as Seq
from functools import partial
from typing import Self

import torch
from torch import Tensor

from app.core import Fault, FinishReason, SessionKey, SpeechTokens, StageStats
from app.engine.checkpoint.spec import ModelSpec, T3Spec
from app.engine.device.out_of_memory import run_if_it_fits, run_in_halves
from app.engine.loop import Stopped
from app.engine.speed import CallSpeed
from app.engine.stats import TokenCounts
from app.engine.t3.alignment_heads import NO_HEADS, AlignmentHeads
from app.engine.t3.device_paths import DevicePaths
from app.engine.t3.fast_runner import FastRunner
from app.engine.t3.kv_capacity import num_pages_of
from app.engine.t3.model import T3Model
from app.engine.t3.new_sequence import most_rows, sequence_of
from app.engine.t3.runner import Noise, Runner, counter_noise
from app.engine.t3.scheduled_chunk import ScheduledChunk, StepResult
from app.engine.t3.scheduler import Ending, Scheduler
from app.engine.t3.sequence import Sequence, SequenceRequest
from app.engine.t3.step_cost import UNKNOWN_CPU, UNKNOWN_GPU, StepCost
from app.engine.t3.step_log import StepLog
from app.engine.t3.text_paths import TextPaths
from app.engine.t3.token_groups import count_words, group_of, last_group
from app.errors import BadRequest
from app.t3_settings import T3Settings

log = logging.getLogger(__name__)

_CALL_WEIGHT = 1 / 64  # in the estimate of the speed: 64 steps are about a second
_UNKNOWN_COST = {"cpu": UNKNOWN_CPU, "cuda": UNKNOWN_GPU}  # until the warm-up has measured it


class TokenEngine:
    """Implements app.engine.loop.Engine[Sequence, SpeechTokens]."""

    def __init__(
        self,
        model: T3Model,
        settings: T3Settings,
        tail_tokens: tuple[int, ...] = (),
        *,
        heads: AlignmentHeads = NO_HEADS,
        noise: Noise = counter_noise,
        fast: bool | None = None,
        on_step: Callable[[Seq[Sequence]], None] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`tail_tokens` are added to every segment that ended by itself: turbo's three of silence.
        `heads` tell when words are said; without them no group has marks of words. `fast` chooses
        the runner; None: the settings choose. The fast runner has counter noise only. `on_step`
        gets the sequences of each step before it runs, so that a test can hold the engine there.
        `clock` gives seconds, for deadlines and the speed."""
        self.step_log = StepLog()
        self.counts = TokenCounts()
        self.speed = CallSpeed(_CALL_WEIGHT)
        self.last_count: float | None = None  # sequences of the last step; None: it had a prompt
        self.num_prompt_tokens = 0  # of the last step, over all rows
        self._model = model
        self._settings = settings
        self._tail_tokens = tail_tokens
        self._on_step = on_step
        self._clock = clock
        num_pages = num_pages_of(model, settings)
        self._runner: Runner | FastRunner
        if fast is None:
            is_gpu = model.device.type == "cuda"
            fast = settings.runner == "fast" or (settings.runner == "auto" and is_gpu)
        self.heads = heads
        num_slots, chosen = settings.slots, heads.heads
        if fast:
            paths = DevicePaths(chosen, model, num_slots) if chosen else None
            self._runner = FastRunner(model, num_slots, num_pages, paths=paths)
        else:
            plain = TextPaths(chosen, model.backbone.head_dim) if chosen else None
            self._runner = Runner(model, num_slots, noise, plain)
        self._scheduler = Scheduler(
            settings,
            _ending(model.spec),
            self._runner,
            clock,
            num_pages=num_pages,
            cost=_UNKNOWN_COST[model.device.type],
        )
        self._last_groups: list[SpeechTokens] = []  # of sequences that ended between steps

    @classmethod
    def from_weights(
        cls,
        weights: Mapping[str, Tensor],
        spec: ModelSpec,
        settings: T3Settings,
        on_step: Callable[[Seq[Sequence]], None] | None = None,
        heads: AlignmentHeads = NO_HEADS,
    ) -> Self:
        """`weights`: the checkpoint's, on the engine's device and in its precision. The caller may
        drop them afterwards."""
        head = weights["speech_head.weight"]
        in_int8 = settings.dtype == "int8"
        model = T3Model(spec.t3, weights, head.device, head.dtype, in_int8=in_int8)
        return cls(model, settings, spec.tail_tokens, heads=heads, on_step=on_step)

    @property
    def device(self) -> torch.device:
        return self._model.device

    def schedule_by(self, prompt_token_s: float | None) -> None:
        """The scheduler goes by the measured cost of decoding from now on, and by this cost of a
        token of a prompt, in each of its rows; None: not measured."""
        if (decoding := self.speed.measured) is not None:
            rows_of_one = most_rows(self._model.spec)
            self._scheduler.cost = StepCost.measured(decoding, rows_of_one, prompt_token_s)

    def prepare(self, request: SequenceRequest) -> Sequence:
        """The sequence for `receive`. Any thread.

        Raises BadRequest that names the field, where the model cannot speak the request.
        """
        sequence = sequence_of(request, self._model, self._settings.guards, self.heads)
        capacity = self._scheduler.budget.capacity
        if sequence.most_pages > capacity:
            message = f"needs {sequence.most_pages} pages of memory; there are {capacity}"
            raise BadRequest(f"max_tokens: {message} (t3.kv_gib)", param="max_tokens")
        return sequence

    # -- what the loop calls ---------------------------------------------------------------------

    def receive(self, sequence: Sequence) -> None:
        self._scheduler.add(sequence)

    def cancel(self, key: SessionKey, segment: int | None) -> Stopped:
        ended = self._scheduler.cancel(key, segment)
        for sequence in ended:
            self.step_log.count_tokens(key, sequence.num_unsent)
            if segment is None:
                self._last_groups.append(last_group(sequence, FinishReason.CANCELLED))
        return Stopped(live=bool(ended), num_tokens=self.step_log.summary(key).num_tokens)

    def has_work(self) -> bool:
        scheduler = self._scheduler
        return bool(self._last_groups or scheduler.num_running or scheduler.num_waiting)

    def step(self) -> list[SpeechTokens]:
        began_s = self._clock()
        chunks = self._scheduler.schedule()
        results = self._run(chunks)
        groups = self._postprocess(results)
        self.last_count = None
        if chunks:
            self._count_step(chunks, self._clock() - began_s)
        return groups

    def abort(self) -> None:
        self._scheduler.fail()
        self._last_groups.clear()

    def stats(self) -> StageStats:
        scheduler = self._scheduler
        return StageStats(
            live=scheduler.num_running,
            waiting=scheduler.num_waiting,
            slots_free=scheduler.num_free,
            slots_total=scheduler.num_slots,
            cost=self.speed.cost,
        )

    def pause_s(self) -> float:
        return 0.0 if self._last_groups else self._scheduler.pause_s()

    def due_s(self) -> float:
        return self._scheduler.due_s()

    def check_integrity(self) -> None:
        """Raises RuntimeError where slots or memory are neither free nor held by a sequence."""
        self._scheduler.check_integrity()
        kv_cache = self._runner.kv_cache
        if not self._scheduler.num_running and kv_cache.num_bytes:
            raise RuntimeError(f"{kv_cache.num_bytes} bytes are held and no sequence runs")
        if kv_cache.num_prefixes != self._scheduler.prefixes.num_ready:
            raise RuntimeError(f"{kv_cache.num_prefixes} prefixes are in the KV cache")

    # -- parts of a step -------------------------------------------------------------------------

    def _run(self, chunks: Seq[ScheduledChunk]) -> Iterator[StepResult]:
        """The results of the step. Each must be applied before the next one is asked for: a
        sequence that it ends is left out of the rest.

        A step that does not fit in memory runs again in parts. Without chunks, the tokens of the
        step in flight may arrive.
        """
        if chunks:
            sequences = [chunk.sequence for chunk in chunks]
            if self._on_step is not None:
                self._on_step(sequences)
            self.step_log.begin_step((s.key for s in sequences), time.monotonic())
        device = self._model.device
        whole = run_if_it_fits(partial(self._runner.run, chunks), device)
        if whole is not None:
            yield whole
            return
        yield self._runner.run([])
        for part, result in run_in_halves(chunks, self._rerun, device):
            if result is None:
                self._give_up(part[0])
            else:
                yield result

    def _rerun(self, chunks: Seq[ScheduledChunk]) -> StepResult:
        return self._runner.rerun([chunk for chunk in chunks if chunk.sequence.finish is None])

    def _give_up(self, chunk: ScheduledChunk) -> None:
        """End a sequence that does not fit in memory even alone. Sequences that wait for its prefix
        compute that themselves."""
        sequence, prefix = chunk.sequence, chunk.completes
        session_id = sequence.key.session_id
        log.error("no memory is left for session %s", session_id, extra={"session": session_id})
        if prefix is not None:
            prefix.is_ready = False
            self._runner.forget(prefix)
        sequence.fault = Fault.OUT_OF_MEMORY
        self._scheduler.fail(sequence)
        self._last_groups.append(last_group(sequence, FinishReason.ERROR))

    def _postprocess(self, results: Iterable[StepResult]) -> list[SpeechTokens]:
        """The last groups of sequences that ended between steps, then the groups that are full or
        the last of their sequence."""
        sampled: list[Sequence] = []
        for result in results:
            self._scheduler.postprocess(result)
            sampled += [chunk.sequence for chunk in result.chunks]
        self.counts.num_tokens += len(sampled)
        groups, self._last_groups = self._last_groups, []
        for sequence in dict.fromkeys(sampled):  # each once
            group = None if sequence.fault else self._take_group(sequence)
            if group is not None:
                groups.append(group)
        return groups

    def _take_group(self, sequence: Sequence) -> SpeechTokens | None:
        """The unsent tokens, where they fill a group or are the last."""
        start, finish = sequence.num_sent, sequence.finish
        if finish is FinishReason.ERROR:
            session_id = sequence.key.session_id
            message = "the logits of session %s are not finite"
            log.error(message, session_id, extra={"session": session_id})
            return last_group(sequence, finish)
        num_wanted = self._settings.group if start else self._settings.first_group
        if finish is None and sequence.num_unsent < num_wanted:
            return None
        group = group_of(sequence, self._tail_tokens)
        num_new = sequence.num_unsent
        self._scheduler.count_sent(sequence, num_new)
        self.step_log.count_tokens(sequence.key, num_new)
        if finish is not None and sequence.words is not None:
            count_words(self.counts, sequence.words, finish)
        return group

    def _count_step(self, chunks: Seq[ScheduledChunk], took_s: float) -> None:
        """A sequence with fewer rows than the model's usual ones counts as a part of one."""
        counts, scheduler = self.counts, self._scheduler
        counts.step_ms.append(took_s * 1000)
        if all(chunk.is_decode for chunk in chunks):
            self.last_count = scheduler.num_rows / most_rows(self._model.spec)
            self.speed.follow(self.last_count, took_s)
        self.num_prompt_tokens = sum(
            chunk.num_tokens * chunk.sequence.num_rows for chunk in chunks if not chunk.is_decode
        )
        counts.num_rows += scheduler.num_rows
        counts.num_prefix_hits = scheduler.prefixes.num_hits
        counts.num_prefix_misses = scheduler.prefixes.num_misses
        counts.num_pages = scheduler.budget.capacity
        counts.num_pages_used = scheduler.budget.capacity - scheduler.budget.num_free


def _ending(spec: T3Spec) -> Ending:
    return Ending(spec.stop_speech_token, min_tokens=1 if spec.backbone == "gpt2" else 0)
