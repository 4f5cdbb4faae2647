"""The plain runner plus one idea: no step waits for the tokens of the step before it.

Decoding rows are one replayed graph (decode.py, graphs.py). Prompts have varying shapes, so they
follow as calls of their own. The sampled tokens of a step are copied to the host while the next
step runs, and the next call returns them: the host is one step behind. So an ended sequence may
compute one token more; that token is dropped here. A cancelled sequence is out of the next step, as
on the plain path. A released slot's memory may have a new owner at once: every write of the old
owner is ahead of the new owner's in the device's stream.
"""

from collections.abc import Sequence as Seq
from typing import NamedTuple

import torch
from torch import Tensor

from app.engine.device.cuda_graphs import Capture, CudaCapture, uncaptured
from app.engine.device.transfer import upload
from app.engine.t3.decode import DecodeStep, Draw, Row
from app.engine.t3.device_paths import DevicePaths
from app.engine.t3.graphs import StepGraphs
from app.engine.t3.kv_budget import Prefix, pages_of
from app.engine.t3.model import T3Model, max_positions
from app.engine.t3.noise import exponential, stream_start
from app.engine.t3.paged_kv_cache import PagedKVCache
from app.engine.t3.prompts import Prompts
from app.engine.t3.runner import roll_back_partial_step
from app.engine.t3.sampler import SamplingRow
from app.engine.t3.scheduled_chunk import NO_RESULT, ScheduledChunk, StepResult
from app.engine.t3.span_attention import Span
from app.engine.t3.text_paths import BEFORE_TEXT


class _InFlight(NamedTuple):
    """A step's tokens on their way to the host."""

    chunks: Seq[ScheduledChunk]  # those that sample
    drawn: Tensor  # (len(chunks), 2) on the host: tokens, and the text ids that they say
    arrived: torch.cuda.Event | None  # None where the device is the host


class FastRunner:
    def __init__(
        self,
        model: T3Model,
        num_slots: int,
        num_pages: int,
        draw: Draw = exponential,
        capture: Capture | None = None,
        *,
        paths: DevicePaths | None = None,
    ) -> None:
        """Sequences and prefixes hold at most `num_pages` at once. `paths`: None where the model
        has no alignment heads."""
        self._model = model
        self._paths = paths
        self._device = model.device
        self.kv_cache = PagedKVCache(
            model.backbone,
            rows_per_slot=2 if model.spec.backbone == "llama" else 1,
            num_slots=num_slots,
            num_pages=num_pages,
            max_positions=max_positions(model.spec),
            device=model.device,
            dtype=model.dtype,
        )
        self._prompts = Prompts(model)
        self._step = DecodeStep(model, self.kv_cache, num_slots, draw, paths)
        is_gpu = model.device.type == "cuda"
        if capture is None:
            capture = CudaCapture(model.device) if is_gpu else uncaptured
        self._graphs = StepGraphs(self._step, capture)
        if is_gpu:  # else the first sequences would wait for the captures
            self._graphs.warm_up(self._step.usual_shapes())
        self._in_flight: _InFlight | None = None

    @torch.inference_mode()
    def run(self, chunks: Seq[ScheduledChunk]) -> StepResult:
        """Launch a step. Returns the tokens of the step before it, for sequences that are live."""
        launched = self._launch(chunks) if chunks else None
        result = _wait_for(self._in_flight)
        self._in_flight = launched
        return result

    @torch.inference_mode()
    def rerun(self, chunks: Seq[ScheduledChunk]) -> StepResult:
        """Run chunks of a call that ran short of memory after all, some or none of its work. Takes
        the plain path and waits for the tokens. No step may be in flight."""
        for chunk in chunks:
            roll_back_partial_step(chunk, self.kv_cache)
            self._step.restore(chunk.slot, chunk.sequence.tokens)
        return _wait_for(self._launch(chunks, captured=False) if chunks else None)

    def release(self, slot: int) -> None:
        self.kv_cache.release(slot)
        self._prompts.release(slot)

    def forget(self, prefix: Prefix) -> None:
        self.kv_cache.forget(prefix)

    def _launch(self, chunks: Seq[ScheduledChunk], *, captured: bool = True) -> _InFlight | None:
        decoding = [chunk for chunk in chunks if chunk.is_decode]
        prompts = [chunk for chunk in chunks if not chunk.is_decode]
        sampled = []
        if decoding:
            sampled.append(self._decode(decoding, captured))
        sampled.extend(self._prompt(chunk) for chunk in prompts)
        sampling = [chunk for chunk in (*decoding, *prompts) if chunk.samples]
        if not sampling:
            return None
        return self._send_back(sampling, torch.cat(sampled))

    def _decode(self, chunks: Seq[ScheduledChunk], captured: bool) -> Tensor:
        """(len(chunks), 2)"""
        self.kv_cache.reserve(_span(chunk) for chunk in chunks)
        rows: list[Row] = []
        firsts = []
        for chunk in chunks:
            firsts.append(len(rows))
            rows.extend(self._rows(chunk, first=len(rows)))
        drawn = self._graphs.run(rows) if captured else self._graphs.run_uncaptured(rows)
        return drawn[upload(firsts, torch.int64, self._device)]

    def _prompt(self, chunk: ScheduledChunk) -> Tensor:
        """(1, 2) for the last chunk of a prompt, (0, 2) for any other."""
        kv_cache, sequence, span = self.kv_cache, chunk.sequence, _span(chunk)
        if chunk.begins_with is not None:
            kv_cache.begin(chunk.slot, sequence.num_rows, chunk.begins_with)
        kv_cache.reserve([span])
        hidden = self._prompts.embed(chunk)
        lanes = upload(
            list(kv_cache.lanes_of(chunk.slot, sequence.num_rows)), torch.int64, self._device
        )
        positions = torch.arange(span.start, span.end, device=self._device)
        positions = positions.expand(sequence.num_rows, -1)
        attend = kv_cache.attention(lanes, positions, pages_of(span.end))
        every_last = torch.arange(
            chunk.num_tokens - 1, len(hidden), chunk.num_tokens, device=self._device
        )
        last = every_last if chunk.samples else every_last[:0]
        heard = None if self._paths is None else self._paths.hear(attend)
        logits = self._model.forward(hidden, positions.flatten(), last, heard or attend)
        if self._paths is not None and heard is not None:
            self._paths.keep_keys(heard, chunk, first_row=0)
        if chunk.completes is not None:
            kv_cache.keep(chunk.slot, chunk.completes)
        shape = (int(chunk.samples), 2)
        drawn = torch.full(shape, BEFORE_TEXT, dtype=torch.int64, device=self._device)
        if chunk.samples:
            drawn[:, 0] = self._step.sample_first(logits, self._rows(chunk, first=0))[:1]
        return drawn

    def _rows(self, chunk: ScheduledChunk, first: int) -> list[Row]:
        """The rows of a sequence. Its first row is row number `first` of the step."""
        sequence, sampling = chunk.sequence, chunk.sequence.request.sampling
        last = first + sequence.num_rows - 1
        position = chunk.start + chunk.num_tokens - 1
        step = position + 1 - sequence.num_prompt
        may_stop = step >= sequence.least_tokens
        row = SamplingRow(chunk.slot, sampling, step, first, last, may_stop)
        noise = stream_start(sampling.seed, sequence.segment)
        lanes = self.kv_cache.lanes_of(chunk.slot, sequence.num_rows)
        return [Row(lane, position, noise, row, sequence.num_text) for lane in lanes]

    def _send_back(self, chunks: Seq[ScheduledChunk], drawn: Tensor) -> _InFlight:
        if self._device.type != "cuda":
            return _InFlight(chunks, drawn.clone(), None)
        host = torch.empty(drawn.shape, dtype=drawn.dtype, pin_memory=True)
        host.copy_(drawn, non_blocking=True)
        arrived = torch.cuda.Event()  # type: ignore[no-untyped-call]
        arrived.record()
        return _InFlight(chunks, host, arrived)


def _wait_for(step: _InFlight | None) -> StepResult:
    """The tokens of sequences that are still live."""
    if step is None:
        return NO_RESULT
    if step.arrived is not None:
        step.arrived.synchronize()
    pairs = zip(step.chunks, step.drawn.tolist(), strict=True)
    live = [(chunk, *drawn) for chunk, drawn in pairs if chunk.sequence.finish is None]
    return StepResult(
        [chunk for chunk, _, _ in live],
        [None if token < 0 else token for _, token, _ in live],
        [text_id for _, _, text_id in live],
    )


def _span(chunk: ScheduledChunk) -> Span:
    return Span(chunk.slot, 0, chunk.sequence.num_rows, chunk.start, chunk.num_tokens)
