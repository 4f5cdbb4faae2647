"""The token engine: many segments' speech tokens from one copy of the weights, a step at a time.

A step is schedule, run, postprocess; what it produced leaves in small groups. Runs on the thread
of its EngineLoop. Knows nothing about text, sound, Ray or clients.
"""

import logging
import time
from collections.abc import Callable, Iterator
from collections.abc import Sequence as Seq
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Self

from app.config import T3Settings
from app.core import Fault, FinishReason, SessionKey, SpeechTokens, StageStats
from app.engine.checkpoint.spec import ModelSpec, T3Spec
from app.engine.device.out_of_memory import fitted, in_parts
from app.engine.loop import Stopped
from app.engine.stats import TokenCounts
from app.engine.t3.fast_runner import FastRunner
from app.engine.t3.guards import bounded, least_tokens
from app.engine.t3.kv_budget import PAGE, pages_of
from app.engine.t3.model import T3Model, max_positions
from app.engine.t3.paged_kv_cache import spare_pages
from app.engine.t3.runner import Noise, Runner, StepResult, counter_noise
from app.engine.t3.scheduled_chunk import ScheduledChunk
from app.engine.t3.scheduler import Ending, Scheduler
from app.engine.t3.sequence import AddSequence, Sequence
from app.engine.t3.step_log import StepLog
from app.errors import BadRequest

if TYPE_CHECKING:  # transformers, 7 s: whoever builds one has it
    from chatterbox.models.t3.t3 import T3

log = logging.getLogger(__name__)

# How many tokens are computed in the time that reading all weights takes. A CPU in float32: 2 of
# those that decode, 8 of a prompt (full-size turbo, 2026-11; a small model's are more). A GPU in
# bfloat16: its operations per byte.
_FREE_TOKENS = {"cpu": 6, "cuda": 256}

_LONG_SEGMENT = 300 + 1000  # positions: its text, and the most tokens that upstream lets one have


class TokenEngine:
    """Implements app.engine.loop.Engine[AddSequence, SpeechTokens]."""

    def __init__(
        self,
        model: T3Model,
        settings: T3Settings,
        tail_tokens: tuple[int, ...] = (),
        *,
        noise: Noise = counter_noise,
        fast: bool | None = None,
        on_step: Callable[[Seq[Sequence]], None] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`tail_tokens` end every segment that ended by itself (turbo's three of silence).
        `fast` chooses between the runners, by default as the settings say; the fast one has
        counter noise alone. `on_step` sees the sequences of each step before it runs; a test
        holds the engine there. `clock` gives seconds, for deadlines."""
        self.step_log = StepLog()
        self.counts = TokenCounts()
        self._model = model
        self._settings = settings
        self._tail_tokens = tail_tokens
        self._on_step = on_step
        num_pages = _num_pages(model, settings)
        self._runner: Runner | FastRunner
        if fast is None:
            is_gpu = model.device.type == "cuda"
            fast = settings.runner == "fast" or (settings.runner == "auto" and is_gpu)
        if fast:
            self._runner = FastRunner(model, settings.slots, num_pages)
        else:
            self._runner = Runner(model, settings.slots, noise)
        self._scheduler = Scheduler(
            settings,
            _ending(model.spec),
            self._runner,
            clock,
            num_pages=num_pages,
            free_tokens=_FREE_TOKENS[model.device.type],
        )
        self._items: list[SpeechTokens] = []  # of sequences that ended between steps

    @classmethod
    def from_upstream(
        cls,
        t3: "T3",
        spec: ModelSpec,
        settings: T3Settings,
        on_step: Callable[[Seq[Sequence]], None] | None = None,
    ) -> Self:
        """`t3` is loaded, on the device and in the precision to run in. It may be dropped."""
        head = t3.speech_head.weight
        model = T3Model(spec.t3, t3.state_dict(), head.device, head.dtype)
        return cls(model, settings, spec.tail_tokens, on_step=on_step)

    # -- what the loop calls ---------------------------------------------------------------------

    def check(self, request: AddSequence) -> None:
        """Raises BadRequest that names the field, where the model cannot speak this. Any thread."""
        spec, ids, sampling = self._model.spec, request.text_ids, request.sampling
        num_seen = len(request.conditionals.prompt_tokens)
        most = self._most_tokens(request)
        for holds, param, message in (
            (ids, "input", "the text is empty"),
            (len(ids) <= spec.max_text_tokens, "input", f"{len(ids)} tokens of text are too many"),
            (all(0 <= i < spec.text_vocab for i in ids), "input", "the text has unknown tokens"),
            (num_seen <= spec.max_speech_tokens, "voice", "the voice's prompt is too long"),
            (1 <= sampling.max_tokens <= most, "max_tokens", f"must be in 1..{most} for this text"),
            (sampling.temperature > 0, "temperature", "must be above 0"),
            (sampling.repetition_penalty > 0, "repetition_penalty", "must be above 0"),
            (sampling.cfg_weight >= 0, "cfg_weight", "must not be negative"),
            (0 <= sampling.min_p <= 1, "min_p", "must be in 0..1"),
            (0 < sampling.top_p <= 1, "top_p", "must be above 0 and at most 1"),
            (sampling.top_k >= 0, "top_k", "must not be negative"),
        ):
            if not holds:
                raise BadRequest(f"{param}: {message}", param=param)
        wanted, capacity = self._new(request).most_pages, self._scheduler.pool.capacity
        if wanted > capacity:
            message = f"needs {wanted} pages of memory, and there are {capacity} (t3.kv_gib)"
            raise BadRequest(f"max_tokens: {message}", param="max_tokens")

    def receive(self, request: AddSequence) -> None:
        try:
            self.check(request)
        except BadRequest as refusal:  # whoever sent it did not ask; it must not end the engine
            log.warning("refused %s: %s", request.key.session_id, refusal.message)
            self._items.append(_last(request, FinishReason.ERROR))
            return
        self._scheduler.add(self._new(request))

    def cancel(self, key: SessionKey, segment: int | None) -> Stopped:
        ended = self._scheduler.cancel(key, segment)
        for sequence in ended:
            self.step_log.count_tokens(key, sequence.num_unsent)
            if segment is None:
                last = _last(sequence.request, FinishReason.CANCELLED, sequence.num_sent)
                self._items.append(last)
        return Stopped(live=bool(ended), num_tokens=self.step_log.num_tokens_of(key))

    def has_work(self) -> bool:
        return bool(self._items or self._scheduler.num_running or self._scheduler.num_waiting)

    def step(self) -> list[SpeechTokens]:
        began_s = time.monotonic()
        work = self._scheduler.schedule()
        sampled: list[ScheduledChunk] = []
        for landed in self._run(work):
            self._scheduler.postprocess(*landed)
            sampled += landed.work
        if work:
            self._count(len(sampled), time.monotonic() - began_s)
        return self._collect(sampled)

    def abort(self) -> None:
        self._scheduler.fail()
        self._items.clear()

    def stats(self) -> StageStats:
        scheduler = self._scheduler
        return StageStats(
            live=scheduler.num_running,
            waiting=scheduler.num_waiting,
            slots_free=scheduler.num_free,
            slots_total=scheduler.num_slots,
            late_s=scheduler.late_s(),
        )

    def check_integrity(self) -> None:
        """Nothing leaked: slots and memory are free or belong to a live sequence."""
        self._scheduler.check_integrity()
        if not self._scheduler.num_running and self._runner.memory.num_bytes:
            raise RuntimeError(f"{self._runner.memory.num_bytes} bytes of no sequence")
        if self._runner.memory.num_prefixes != self._scheduler.prefixes.num_ready:
            raise RuntimeError(f"{self._runner.memory.num_prefixes} prefixes are in memory")

    # -- parts of a step -------------------------------------------------------------------------

    def _run(self, work: Seq[ScheduledChunk]) -> Iterator[StepResult]:
        """Without work, the tokens of a step still in flight may land. What does not fit in memory
        runs in parts, each after what landed before it has been applied."""
        if work:
            sequences = [item.sequence for item in work]
            if self._on_step is not None:
                self._on_step(sequences)
            segments = ((s.key, s.segment) for s in sequences)
            self.step_log.begin_step(segments, time.monotonic(), self._runner.mark())
        device = self._model.device
        whole = fitted(partial(self._runner.run, work), device)
        if whole is not None:
            yield whole
            return
        yield self._runner.run([])
        for part, landed in in_parts(work, self._again, device):
            if landed is None:
                self._give_up(part[0])
            else:
                yield landed

    def _again(self, work: Seq[ScheduledChunk]) -> StepResult:
        return self._runner.again([item for item in work if item.sequence.finish is None])

    def _give_up(self, item: ScheduledChunk) -> None:
        """One sequence that does not fit even alone. Whoever waits for its prefix computes it."""
        sequence, prefix = item.sequence, item.completes
        log.error("no memory is left for %s", sequence.key.session_id)
        if prefix is not None:
            prefix.is_ready = False
            self._runner.forget(prefix)
        sequence.fault = Fault.OUT_OF_MEMORY
        self._scheduler.fail(sequence)
        last = _last(sequence.request, FinishReason.ERROR, sequence.num_sent)
        self._items.append(replace(last, fault=sequence.fault))

    def _count(self, num_tokens: int, took_s: float) -> None:
        counts, scheduler = self.counts, self._scheduler
        counts.step_ms.append(took_s * 1000)
        counts.num_rows += scheduler.num_rows
        counts.num_tokens += num_tokens
        counts.num_prefix_hits = scheduler.prefixes.num_hits
        counts.num_prefix_misses = scheduler.prefixes.num_misses
        counts.num_pages = scheduler.pool.capacity
        counts.num_pages_used = scheduler.pool.capacity - scheduler.pool.num_free

    def _collect(self, work: Seq[ScheduledChunk]) -> list[SpeechTokens]:
        """What ended between steps, then the groups that are full or the last."""
        items, self._items = self._items, []
        for sequence in dict.fromkeys(item.sequence for item in work):  # each once
            group = None if sequence.fault else self._take_group(sequence)
            if group is not None:
                items.append(group)
        return items

    def _take_group(self, sequence: Sequence) -> SpeechTokens | None:
        """The tokens not yet sent, where they fill a group or are the last."""
        start, finish = sequence.num_sent, sequence.finish
        if finish is FinishReason.ERROR:
            log.error("the logits of %s are not finite", sequence.key.session_id)
            return _last(sequence.request, finish, start)
        wanted = self._settings.group if start else self._settings.first_group
        if finish is None and sequence.num_unsent < wanted:
            return None
        ids = tuple(sequence.codec_ids[start:])
        self._scheduler.sent(sequence, len(ids))
        self.step_log.count_tokens(sequence.key, len(ids))
        tail = () if finish is None else self._tail_tokens
        return SpeechTokens(sequence.key, sequence.segment, start, ids + tail, finish)

    def _new(self, request: AddSequence) -> Sequence:
        model, conditionals, guards = self._model, request.conditionals, self._settings.guards
        is_pair = model.spec.backbone == "llama" and request.sampling.cfg_weight > 0
        sampling = bounded(request.sampling, len(request.text_ids), guards)
        return Sequence(
            replace(request, sampling=sampling),
            num_rows=2 if is_pair else 1,
            num_prompt=model.num_prompt(conditionals, len(request.text_ids)),
            num_prefix=model.num_prefix(conditionals),
            least_tokens=least_tokens(sampling, guards),
        )

    def _most_tokens(self, request: AddSequence) -> int:
        spec = self._model.spec
        num_prompt = self._model.num_prompt(request.conditionals, len(request.text_ids))
        return min(spec.max_speech_tokens, max_positions(spec) - num_prompt)


def _ending(spec: T3Spec) -> Ending:
    return Ending(spec.stop_speech_token, min_tokens=1 if spec.backbone == "gpt2" else 0)


def _num_pages(model: T3Model, settings: T3Settings) -> int:
    """What `kv_gib` holds. Where that is not set: a long segment in every slot (the longest there
    can be fits beside fewer), and the prefixes; on a GPU, what it can spare at most."""
    spec = model.spec
    position_bytes = 2 * spec.num_layers * spec.num_heads * spec.head_dim * model.dtype.itemsize
    if settings.kv_gib is not None:
        return int(settings.kv_gib * 2**30) // (PAGE * position_bytes)
    num_rows = 2 if spec.backbone == "llama" else 1
    prefix = 2 + (spec.num_perceiver_queries if spec.perceiver else spec.prompt_len)
    longest = pages_of(max_positions(spec), num_rows)
    usual = min(longest, pages_of(prefix + _LONG_SEGMENT, num_rows))
    wanted = max(longest, settings.slots * usual) + settings.prefixes_kept * pages_of(prefix)
    if model.device.type != "cuda":
        return wanted
    return min(wanted, spare_pages(PAGE * position_bytes, model.device))


def _last(request: AddSequence, finish: FinishReason, start: int = 0) -> SpeechTokens:
    return SpeechTokens(request.key, request.segment, start, (), finish)
