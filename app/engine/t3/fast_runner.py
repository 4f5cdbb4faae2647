"""The plain runner plus one idea: no step waits for the tokens of the one before it.

Decoding rows are one replayed graph (decode.py, graphs.py); prompts, whose shapes vary, follow as
calls of their own. What a step sampled is copied back while the next one runs, and handed out by
that next call: the host is one step behind. So a sequence that ended may compute one token more,
which is dropped here; a cancelled one is out of the next step as ever. What a released slot held
may be given away at once: whatever still writes there is ahead of the new owner in the device's
stream.
"""

from collections.abc import Sequence as Seq
from typing import NamedTuple

import torch
from torch import Tensor

from app.engine.device.cuda_graphs import Capture, CudaCapture, uncaptured
from app.engine.device.transfer import upload
from app.engine.t3.decode import DecodeStep, Draw, Row
from app.engine.t3.dense_kv_cache import Span
from app.engine.t3.graphs import StepGraphs
from app.engine.t3.kv_budget import Prefix, pages_of
from app.engine.t3.model import T3Model, max_positions
from app.engine.t3.noise import exponential, stream_start
from app.engine.t3.paged_kv_cache import PagedKVCache
from app.engine.t3.prompts import Prompts
from app.engine.t3.runner import StepResult, device_mark, roll_back_partial_step
from app.engine.t3.sampler import SamplingRow
from app.engine.t3.scheduled_chunk import ScheduledChunk
from app.engine.t3.step_log import DeviceMark


class _InFlight(NamedTuple):
    """A step's tokens on their way to the host."""

    work: Seq[ScheduledChunk]  # what sampled
    tokens: Tensor  # (len(work),) on the host
    arrived: torch.cuda.Event | None  # None where the device is the host


class FastRunner:
    def __init__(
        self,
        model: T3Model,
        num_slots: int,
        num_pages: int,
        draw: Draw = exponential,
        capture: Capture | None = None,
    ) -> None:
        """`num_pages` is all that sequences and prefixes will hold at once."""
        self._model = model
        self._device = model.device
        self.memory = PagedKVCache(
            model.backbone,
            rows_per_slot=2 if model.spec.backbone == "llama" else 1,
            num_slots=num_slots,
            num_pages=num_pages,
            max_positions=max_positions(model.spec),
            device=model.device,
            dtype=model.dtype,
        )
        self._prompts = Prompts(model)
        self._step = DecodeStep(model, self.memory, num_slots, draw)
        is_gpu = model.device.type == "cuda"
        if capture is None:
            capture = CudaCapture(model.device) if is_gpu else uncaptured
        self._graphs = StepGraphs(self._step, capture)
        if is_gpu:  # else the first sequences would wait for it
            self._graphs.warm_up(self._step.usual_shapes())
        self._in_flight: _InFlight | None = None

    @torch.inference_mode()
    def run(self, work: Seq[ScheduledChunk]) -> StepResult:
        """Launch a step, and give what the one before it sampled for sequences that still live."""
        launched = self._launch(work) if work else None
        landed = _land(self._in_flight)
        self._in_flight = launched
        return landed

    @torch.inference_mode()
    def again(self, work: Seq[ScheduledChunk]) -> StepResult:
        """Work that a call ran none or some of before it was short of memory: on the plain path,
        waiting for what is sampled. All that was launched before must have landed."""
        for item in work:
            roll_back_partial_step(item, self.memory)
            self._step.restore(item.slot, item.sequence.tokens)
        return _land(self._launch(work, captured=False) if work else None)

    def mark(self) -> DeviceMark | None:
        return device_mark(self._device)

    def release(self, slot: int) -> None:
        self.memory.release(slot)
        self._prompts.release(slot)

    def forget(self, prefix: Prefix) -> None:
        self.memory.forget(prefix)

    def _launch(self, work: Seq[ScheduledChunk], *, captured: bool = True) -> _InFlight | None:
        decoding = [item for item in work if item.start >= item.sequence.num_prompt]
        prompts = [item for item in work if item.start < item.sequence.num_prompt]
        sampled = []
        if decoding:
            sampled.append(self._decode(decoding, captured))
        sampled.extend(self._prompt(item) for item in prompts)
        sampling = [item for item in (*decoding, *prompts) if item.samples]
        if not sampling:
            return None
        return self._send_back(sampling, torch.cat(sampled))

    def _decode(self, work: Seq[ScheduledChunk], captured: bool) -> Tensor:
        """(len(work),)"""
        self.memory.reserve(_span(item) for item in work)
        rows: list[Row] = []
        firsts = []
        for item in work:
            firsts.append(len(rows))
            rows.extend(self._rows(item, first=len(rows)))
        sampled = self._graphs.run(rows) if captured else self._graphs.run_uncaptured(rows)
        return sampled[upload(firsts, torch.int64, self._device)]

    def _prompt(self, item: ScheduledChunk) -> Tensor:
        """(1,), or (0,) where more of the prompt is to come."""
        memory, sequence, span = self.memory, item.sequence, _span(item)
        if item.begins_with is not None:
            memory.begin(item.slot, sequence.num_rows, item.begins_with)
        memory.reserve([span])
        hidden = self._prompts.chunk(item)
        lanes = upload(
            list(memory.lanes_of(item.slot, sequence.num_rows)), torch.int64, self._device
        )
        positions = torch.arange(span.start, span.end, device=self._device)
        positions = positions.expand(sequence.num_rows, -1)
        attend = memory.attention(lanes, positions, pages_of(span.end))
        every_last = torch.arange(
            item.num_tokens - 1, len(hidden), item.num_tokens, device=self._device
        )
        last = every_last if item.samples else every_last[:0]
        logits = self._model.forward(hidden, positions.flatten(), last, attend)
        if item.completes is not None:
            memory.keep(item.slot, item.completes)
        if not item.samples:
            return last
        return self._step.sample_first(logits, self._rows(item, first=0))[:1]

    def _rows(self, item: ScheduledChunk, first: int) -> list[Row]:
        """A sequence's rows, of which the first is row number `first` of its step."""
        sequence, sampling = item.sequence, item.sequence.request.sampling
        last = first + sequence.num_rows - 1
        position = item.start + item.num_tokens - 1
        step = position + 1 - sequence.num_prompt
        may_stop = step >= sequence.least_tokens
        row = SamplingRow(item.slot, sampling, step, first, last, may_stop)
        noise = stream_start(sampling.seed, sequence.segment)
        lanes = self.memory.lanes_of(item.slot, sequence.num_rows)
        return [Row(lane, position, noise, row) for lane in lanes]

    def _send_back(self, work: Seq[ScheduledChunk], tokens: Tensor) -> _InFlight:
        if self._device.type != "cuda":
            return _InFlight(work, tokens.clone(), None)
        host = torch.empty(len(tokens), dtype=tokens.dtype, pin_memory=True)
        host.copy_(tokens, non_blocking=True)
        arrived = torch.cuda.Event()  # type: ignore[no-untyped-call]
        arrived.record()
        return _InFlight(work, host, arrived)


def _land(step: _InFlight | None) -> StepResult:
    if step is None:
        return StepResult([], [])
    if step.arrived is not None:
        step.arrived.synchronize()
    pairs = zip(step.work, step.tokens.tolist(), strict=True)
    live = [(item, token) for item, token in pairs if item.sequence.finish is None]
    return StepResult(
        [item for item, _ in live], [None if token < 0 else token for _, token in live]
    )


def _span(item: ScheduledChunk) -> Span:
    return Span(item.slot, 0, item.sequence.num_rows, item.start, item.num_tokens)
