"""A step on the device: the scheduled sequences through the model in one call, and a token each.

The only part of the engine that holds tensors. Host and device meet twice in a step: token ids go
in, sampled ids come out. Knows nothing about why these sequences run now.
"""

from collections.abc import Sequence as Seq
from typing import NamedTuple, Protocol

import torch
from torch import Tensor

from app.engine.t3.dense_kv_cache import DenseKVCache, Span
from app.engine.t3.kv_budget import Prefix
from app.engine.t3.model import T3Model
from app.engine.t3.noise import exponential, stream_start
from app.engine.t3.prompts import Prompts
from app.engine.t3.sampler import Sampler, SamplingBatch, SamplingRow
from app.engine.t3.scheduled_chunk import ScheduledChunk
from app.engine.t3.sequence import Sequence
from app.engine.t3.step_log import DeviceMark


class StepResult(NamedTuple):
    """Sampled tokens that have reached the host, each of a sequence that still lives."""

    work: Seq[ScheduledChunk]
    tokens: Seq[int | None]  # None where the logits were no distribution


class Noise(Protocol):
    """Exponential(1) draws for the next token of each sequence."""

    def __call__(self, sequences: Seq[Sequence], vocab: int, device: torch.device) -> Tensor:
        """(len(sequences), vocab) float32, positive."""
        ...


def device_mark(device: torch.device) -> DeviceMark | None:
    """Where the device's stream has been filled up to; None where the device is the host."""
    if device.type != "cuda":
        return None
    event = torch.cuda.Event(enable_timing=True)  # type: ignore[no-untyped-call]
    torch.cuda.current_stream(device).record_event(event)
    return event


def counter_noise(sequences: Seq[Sequence], vocab: int, device: torch.device) -> Tensor:
    """A function of seed, segment and step alone, whatever runs in the same batch."""
    starts = [stream_start(s.request.sampling.seed, s.segment) for s in sequences]
    counters = torch.tensor([starts, [len(s.tokens) for s in sequences]]).to(device)
    return exponential(counters[0], counters[1], vocab)


class Runner:
    def __init__(self, model: T3Model, num_slots: int, noise: Noise) -> None:
        self._model = model
        self._noise = noise
        backbone = model.backbone
        self.memory = DenseKVCache(
            backbone.num_layers, backbone.num_heads, backbone.head_dim, model.device, model.dtype
        )
        self._sampler = Sampler(model.spec, num_slots, model.device)
        self._prompts = Prompts(model)

    @torch.inference_mode()
    def run(self, work: Seq[ScheduledChunk]) -> StepResult:
        """What this step sampled."""
        if not work:
            return StepResult([], [])
        spans = _lay_out(work)
        hidden = self._embed(work)
        positions = torch.cat([self._positions(span) for span in spans])
        for item in work:
            if item.begins_with is not None:
                self.memory.begin(item.slot, item.sequence.num_rows, item.begins_with)
        last = [span.first + (row + 1) * span.num_tokens - 1 for span, row in _sampled(work, spans)]
        attend = self.memory.attention(spans)
        logits = self._model.forward(hidden, positions, self._ints(last), attend)
        for item in work:
            if item.completes is not None:
                self.memory.keep(item.slot, item.completes)
        sampling = [item for item in work if item.samples]
        return StepResult(sampling, self._sample(logits, sampling))

    @torch.inference_mode()
    def again(self, work: Seq[ScheduledChunk]) -> StepResult:
        """As `run`, of work that a call ran none or some of before it was short of memory."""
        for item in work:
            roll_back_partial_step(item, self.memory)
            self._sampler.restore(item.slot, item.sequence.tokens)
        return self.run(work)

    def mark(self) -> DeviceMark | None:
        return device_mark(self._model.device)

    def release(self, slot: int) -> None:
        self.memory.release(slot)
        self._prompts.release(slot)

    def forget(self, prefix: Prefix) -> None:
        self.memory.forget(prefix)

    def _embed(self, work: Seq[ScheduledChunk]) -> Tensor:
        """(N, dim). Decoding sequences come first, so one lookup serves all of them."""
        decoding = [item.sequence for item in work if _is_decoding(item)]
        rows = [sequence for sequence in decoding for _ in range(sequence.num_rows)]
        parts = []
        if rows:
            tokens = self._ints([sequence.tokens[-1] for sequence in rows])
            indices = self._ints([len(sequence.tokens) - 1 for sequence in rows])
            parts.append(self._model.embed_speech(tokens, indices))
        parts.extend(self._prompts.chunk(item) for item in work if not _is_decoding(item))
        return torch.cat(parts)

    def _sample(self, logits: Tensor, work: Seq[ScheduledChunk]) -> list[int | None]:
        if not work:
            return []
        vocab = self._model.spec.speech_vocab
        sequences = [item.sequence for item in work]
        batch = SamplingBatch.of(_sampling_rows(work), vocab, logits.device)
        noise = self._noise(sequences, vocab, logits.device)
        tokens: list[int] = self._sampler.sample(logits, batch, noise).tolist()
        return [None if token < 0 else token for token in tokens]

    def _positions(self, span: Span) -> Tensor:
        own = torch.arange(span.start, span.end, device=self._model.device)
        return own.repeat(span.num_rows)

    def _ints(self, values: list[int]) -> Tensor:
        return torch.tensor(values, dtype=torch.int64, device=self._model.device)


class Shared(Protocol):
    """What the runners' memories have in common, of what half a step may leave."""

    def release(self, slot: int) -> None: ...
    def forget(self, prefix: Prefix) -> None: ...


def roll_back_partial_step(item: ScheduledChunk, memory: Shared) -> None:
    """What is not simply written over by doing it again: pages that are taken."""
    if item.begins_with is not None:
        memory.release(item.slot)
    if item.completes is not None:
        memory.forget(item.completes)


def _is_decoding(item: ScheduledChunk) -> bool:
    return item.start >= item.sequence.num_prompt


def _lay_out(work: Seq[ScheduledChunk]) -> list[Span]:
    spans = []
    first = 0
    for item in work:
        num_rows = item.sequence.num_rows
        spans.append(Span(item.slot, first, num_rows, item.start, item.num_tokens))
        first += num_rows * item.num_tokens
    return spans


def _sampled(work: Seq[ScheduledChunk], spans: Seq[Span]) -> list[tuple[Span, int]]:
    """Every row whose last token is sampled after."""
    pairs = zip(work, spans, strict=True)
    return [(span, row) for item, span in pairs if item.samples for row in range(span.num_rows)]


def _sampling_rows(work: Seq[ScheduledChunk]) -> list[SamplingRow]:
    """`work` holds what samples; the logits have its rows in the same order."""
    rows = []
    first = 0
    for item in work:
        sequence = item.sequence
        last = first + sequence.num_rows - 1  # the guide, or the only row
        step = len(sequence.tokens)
        may_stop = step >= sequence.least_tokens
        sampling = sequence.request.sampling
        rows.append(SamplingRow(item.slot, sampling, step, first, last, may_stop))
        first = last + 1
    return rows
