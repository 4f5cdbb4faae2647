"""A step on the device: the scheduled sequences through the model in one call, and a token each.

Only the runners hold tensors of sequences. Host and device meet twice in a step: token ids go in,
sampled ids come out. Knows nothing about the reasons why these sequences run now.
"""

from collections.abc import Sequence as Seq
from typing import Protocol

import torch
from torch import Tensor

from app.engine.t3.dense_kv_cache import DenseKVCache
from app.engine.t3.kv_budget import KVCache, Prefix
from app.engine.t3.model import T3Model
from app.engine.t3.noise import exponential, stream_start
from app.engine.t3.prompts import Prompts
from app.engine.t3.sampler import Sampler, SamplingBatch, SamplingRow
from app.engine.t3.scheduled_chunk import NO_RESULT, ScheduledChunk, StepResult
from app.engine.t3.sequence import Sequence
from app.engine.t3.span_attention import Span
from app.engine.t3.text_paths import BEFORE_TEXT, HeardHeads, TextPaths


class Noise(Protocol):
    """Exponential(1) draws for the next token of each sequence."""

    def __call__(self, sequences: Seq[Sequence], vocab: int, device: torch.device) -> Tensor:
        """(len(sequences), vocab) float32, positive."""
        ...


def counter_noise(sequences: Seq[Sequence], vocab: int, device: torch.device) -> Tensor:
    """A function of seed, segment and step alone: the rest of the batch changes nothing."""
    starts = [stream_start(s.request.sampling.seed, s.segment) for s in sequences]
    counters = torch.tensor([starts, [len(s.tokens) for s in sequences]]).to(device)
    return exponential(counters[0], counters[1], vocab)


class Runner:
    def __init__(
        self, model: T3Model, num_slots: int, noise: Noise, paths: TextPaths | None = None
    ) -> None:
        """`paths`: None where the model has no alignment heads."""
        self._model = model
        self._paths = paths
        self._noise = noise
        backbone = model.backbone
        self.kv_cache = DenseKVCache(
            backbone.num_layers, backbone.num_heads, backbone.head_dim, model.device, model.dtype
        )
        self._sampler = Sampler(model.spec, num_slots, model.device)
        self._prompts = Prompts(model)

    @torch.inference_mode()
    def run(self, chunks: Seq[ScheduledChunk]) -> StepResult:
        """The tokens that this step sampled."""
        if not chunks:
            return NO_RESULT
        spans = _lay_out(chunks)
        hidden = self._embed(chunks)
        positions = torch.cat([self._positions(span) for span in spans])
        for chunk in chunks:
            if chunk.begins_with is not None:
                self.kv_cache.begin(chunk.slot, chunk.sequence.num_rows, chunk.begins_with)
        last = [
            span.first + (row + 1) * span.num_tokens - 1 for span, row in _sampled(chunks, spans)
        ]
        attend = self.kv_cache.attention(spans)
        heard = None if self._paths is None else self._paths.hear(attend)
        logits = self._model.forward(hidden, positions, self._ints(last), heard or attend)
        for chunk in chunks:
            if chunk.completes is not None:
                self.kv_cache.keep(chunk.slot, chunk.completes)
        sampling = [chunk for chunk in chunks if chunk.samples]
        tokens = self._sample(logits, sampling)
        return StepResult(sampling, tokens, self._text_ids(heard, chunks, spans))

    @torch.inference_mode()
    def rerun(self, chunks: Seq[ScheduledChunk]) -> StepResult:
        """As `run`, for chunks of a call that ran short of memory after all, some or none of its
        work."""
        for chunk in chunks:
            roll_back_partial_step(chunk, self.kv_cache)
            self._sampler.restore(chunk.slot, chunk.sequence.tokens)
        return self.run(chunks)

    def release(self, slot: int) -> None:
        self.kv_cache.release(slot)
        self._prompts.release(slot)
        if self._paths is not None:
            self._paths.release(slot)

    def forget(self, prefix: Prefix) -> None:
        self.kv_cache.forget(prefix)

    def _embed(self, chunks: Seq[ScheduledChunk]) -> Tensor:
        """(N, dim). The scheduler puts decoding sequences first: one lookup serves all of them."""
        decoding = [chunk.sequence for chunk in chunks if chunk.is_decode]
        rows = [sequence for sequence in decoding for _ in range(sequence.num_rows)]
        parts = []
        if rows:
            tokens = self._ints([sequence.tokens[-1] for sequence in rows])
            indices = self._ints([len(sequence.tokens) - 1 for sequence in rows])
            parts.append(self._model.embed_speech(tokens, indices))
        parts.extend(self._prompts.embed(chunk) for chunk in chunks if not chunk.is_decode)
        return torch.cat(parts)

    def _sample(self, logits: Tensor, chunks: Seq[ScheduledChunk]) -> list[int | None]:
        if not chunks:
            return []
        vocab = self._model.spec.speech_vocab
        sequences = [chunk.sequence for chunk in chunks]
        batch = SamplingBatch.of(_sampling_rows(chunks), vocab, logits.device)
        noise = self._noise(sequences, vocab, logits.device)
        tokens: list[int] = self._sampler.sample(logits, batch, noise).tolist()
        return [None if token < 0 else token for token in tokens]

    def _text_ids(
        self, heard: HeardHeads | None, chunks: Seq[ScheduledChunk], spans: Seq[Span]
    ) -> list[int]:
        """Of every chunk that samples. The scheduler puts decoding sequences first."""
        num_sampling = sum(chunk.samples for chunk in chunks)
        if self._paths is None or heard is None:
            return [BEFORE_TEXT] * num_sampling
        num_decoding = sum(chunk.is_decode for chunk in chunks)
        for chunk, span in zip(chunks[num_decoding:], spans[num_decoding:], strict=True):
            self._paths.keep_keys(heard, chunk, span.first)
        if not num_decoding:
            return [BEFORE_TEXT] * num_sampling
        rows = [span.first for span in spans[:num_decoding]]
        followed = self._paths.follow(heard, [chunk.slot for chunk in chunks[:num_decoding]], rows)
        return followed + [BEFORE_TEXT] * (num_sampling - num_decoding)

    def _positions(self, span: Span) -> Tensor:
        own = torch.arange(span.start, span.end, device=self._model.device)
        return own.repeat(span.num_rows)

    def _ints(self, values: list[int]) -> Tensor:
        return torch.tensor(values, dtype=torch.int64, device=self._model.device)


def roll_back_partial_step(chunk: ScheduledChunk, kv_cache: KVCache) -> None:
    """Give back the memory that the chunk may have taken. All else is overwritten by a rerun."""
    if chunk.begins_with is not None:
        kv_cache.release(chunk.slot)
    if chunk.completes is not None:
        kv_cache.forget(chunk.completes)


def _lay_out(chunks: Seq[ScheduledChunk]) -> list[Span]:
    spans = []
    first = 0
    for chunk in chunks:
        num_rows = chunk.sequence.num_rows
        spans.append(Span(chunk.slot, first, num_rows, chunk.start, chunk.num_tokens))
        first += num_rows * chunk.num_tokens
    return spans


def _sampled(chunks: Seq[ScheduledChunk], spans: Seq[Span]) -> list[tuple[Span, int]]:
    """Every row whose last token is followed by a sampled one."""
    pairs = zip(chunks, spans, strict=True)
    return [(span, row) for chunk, span in pairs if chunk.samples for row in range(span.num_rows)]


def _sampling_rows(chunks: Seq[ScheduledChunk]) -> list[SamplingRow]:
    """All chunks sample. The logits have their rows in the same order."""
    rows = []
    first = 0
    for chunk in chunks:
        sequence = chunk.sequence
        last = first + sequence.num_rows - 1  # the unconditional row, or the only one
        step = len(sequence.tokens)
        may_stop = step >= sequence.least_tokens
        sampling = sequence.request.sampling
        rows.append(SamplingRow(chunk.slot, sampling, step, first, last, may_stop))
        first = last + 1
    return rows
