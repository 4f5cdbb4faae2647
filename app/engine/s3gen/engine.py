"""The vocoder engine: speech tokens of many segments in, watermarked sound of each out.

Implements app.engine.loop.Engine. A step is: schedule the most urgent segments, run one cell of
each, emit their sound. Segments wait with their tokens until one of `slots` is free; a slot is
held from a segment's first cell to its end. Knows nothing about asyncio, T3 or HTTP.
"""

import logging
import math
import time
from collections import Counter, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial

import numpy as np
from numpy.typing import NDArray

from app.config import VocoderSettings
from app.core import Fault, FinishReason, SessionKey, SpeechTokens, StageStats
from app.engine.checkpoint.components import Vocoder
from app.engine.device.out_of_memory import fitted, in_parts
from app.engine.loop import CancelIsDue, Stopped
from app.engine.s3gen.context import max_rows, most_tokens
from app.engine.s3gen.decoder import Abandoned, CellJob, Decoder, VocoderState
from app.engine.s3gen.grid import Cell
from app.engine.s3gen.messages import (
    OpenSegment,
    PushTokens,
    SegmentAudio,
    VocoderCall,
    VocoderMessage,
    problem_of,
)
from app.engine.s3gen.scheduler import Address, SlackScheduler
from app.engine.stats import CellCounts

log = logging.getLogger(__name__)

_REMEMBERED_CALLS = 1024  # the newest: what begins after an abort is asked for at once
_SILENCE = np.zeros(0, np.float32)
_ENDS_WITHOUT_SOUND = (FinishReason.CANCELLED, FinishReason.ERROR)


@dataclass(slots=True)
class _Segment:
    """Owned by the engine's thread alone."""

    request: OpenSegment
    tokens: list[int] = field(default_factory=list)
    finish: FinishReason | None = None  # T3's
    state: VocoderState | None = None  # None: holds no slot
    cell: Cell | None = None  # the last that ran
    upcoming: Cell | None = None  # can run
    num_sent: int = 0  # samples

    @property
    def address(self) -> Address:
        return self.request.key, self.request.segment

    @property
    def job(self) -> CellJob:
        assert self.state is not None
        assert self.upcoming is not None
        return CellJob(self.state, self.upcoming, self.tokens)


class VocoderEngine:
    """At most `max_rows` cells run in one call, of `call_tokens` together; 1 keeps a segment
    bit-exact beside any neighbours."""

    def __init__(
        self,
        decoder: Decoder,
        slots: int,
        clock: Callable[[], float],
        max_rows: int = 1,
        call_tokens: float = math.inf,
    ) -> None:
        self._decoder = decoder
        self._slots = slots
        self._max_rows = max_rows
        self._call_tokens = call_tokens
        self._clock = clock
        self._scheduler = SlackScheduler(clock)
        self._segments: dict[Address, _Segment] = {}
        self._num_live = 0
        self._waiting: dict[Address, float] = {}  # could run but for a slot, since when; in order
        self._voiced: Counter[SessionKey] = Counter()  # tokens, of sessions with open segments
        self._items: list[SegmentAudio] = []  # the next step's output
        self._cancel_is_due: CancelIsDue = lambda key, segment: False
        self.call_log: deque[VocoderCall] = deque(maxlen=_REMEMBERED_CALLS)
        self.counts = CellCounts()

    def abandon_if(self, cancel_is_due: CancelIsDue) -> None:
        """Asked between the stages of a call, to leave what nobody wants. The cancels follow."""
        self._cancel_is_due = cancel_is_due

    # -- app.engine.loop.Engine ------------------------------------------------------------------

    def receive(self, message: VocoderMessage) -> None:
        match message:
            case OpenSegment():
                self._open(message)
            case PushTokens(tokens):
                self._push(tokens)

    def cancel(self, key: SessionKey, segment: int | None) -> Stopped:
        num_tokens = self._voiced[key]
        found = [e for (k, s), e in self._segments.items() if k == key and segment in (None, s)]
        for entry in found:
            if segment is None:
                self._end(entry, FinishReason.CANCELLED)
            else:
                self._free(entry)
        return Stopped(bool(found), num_tokens)

    def has_work(self) -> bool:
        return bool(self._items) or self._scheduler.num_ready > 0 or self._can_admit()

    def step(self) -> list[SegmentAudio]:
        self._admit()
        self._run(self._scheduler.schedule(self._max_rows, self._num_upcoming, self._call_tokens))
        self.check_integrity()
        items, self._items = self._items, []
        return items

    def abort(self) -> None:
        for entry in list(self._segments.values()):
            self._free(entry)
        self._items.clear()

    def stats(self) -> StageStats:
        return StageStats(
            live=self._num_live,
            waiting=len(self._waiting),
            slots_free=self._slots - self._num_live,
            slots_total=self._slots,
            late_s=self._scheduler.late_s(self._waiting),
        )

    def check_integrity(self) -> None:
        """Where nothing is open, everything is free; raises RuntimeError otherwise."""
        if self._segments:
            return
        if self._num_live or self._waiting or self._voiced or not self._scheduler.is_empty:
            raise RuntimeError(
                f"idle, yet {self._num_live} slots are held, {len(self._waiting)} segments wait "
                f"and {len(self._voiced)} sessions are counted"
            )

    # -- one segment's life: open, push, admit, run, end, free -----------------------------------

    def _open(self, request: OpenSegment) -> None:
        entry = _Segment(request)
        if entry.address in self._segments:
            raise ValueError(f"segment {request.segment} of {request.key.session_id} is open")
        self._segments[entry.address] = entry
        self._scheduler.add(entry.address)

    def _push(self, tokens: SpeechTokens) -> None:
        entry = self._segments.get((tokens.key, tokens.segment))
        if entry is None or entry.finish is not None:
            return  # it ended while these were on their way
        if tokens.finish in _ENDS_WITHOUT_SOUND:
            self._end(entry, tokens.finish)
        elif (problem := problem_of(tokens, len(entry.tokens))) is not None:
            self._fail(entry, problem)
        else:
            entry.tokens.extend(tokens.ids)
            entry.finish = tokens.finish
            self._advance(entry)

    def _advance(self, entry: _Segment) -> None:
        """Queue the next cell once it can run."""
        if entry.finish is not None and not entry.tokens:
            self._end(entry, entry.finish)
            return
        entry.upcoming = self._decoder.grid.next_cell(
            entry.cell, len(entry.tokens), finished=entry.finish is not None
        )
        if entry.upcoming is None:
            return
        if entry.state is None:
            self._waiting.setdefault(entry.address, self._clock())
        else:
            self._scheduler.ready(entry.address)

    def _can_admit(self) -> bool:
        return bool(self._waiting) and self._num_live < self._slots

    def _admit(self) -> None:
        device = self._decoder.device
        while self._can_admit():
            entry = self._segments[next(iter(self._waiting))]
            del self._waiting[entry.address]
            request = entry.request
            start = partial(
                self._decoder.start,
                request.conditionals,
                request.seed,
                request.segment,
                request.fade_in,
            )
            try:
                entry.state = fitted(start, device) or fitted(start, device)
            except ValueError as error:
                self._fail(entry, f"voice {request.voice}: {error}")
                continue
            if entry.state is None:
                self._fail(entry, "no memory is left", Fault.OUT_OF_MEMORY)
            else:
                self._num_live += 1
                self._scheduler.ready(entry.address)

    def _num_upcoming(self, address: Address) -> int:
        cell = self._segments[address].job.cell
        return cell.end - cell.start

    def _run(self, addresses: list[Address]) -> None:
        if not addresses:
            return
        began_s = time.monotonic()
        entries = [self._segments[address] for address in addresses]
        self.call_log.extend(VocoderCall(*one.address, one.job.cell, began_s) for one in entries)
        num_made = 0
        for part, made in in_parts(entries, self._voice, self._decoder.device):
            if made is None:
                self._fail(part[0], "no memory is left", Fault.OUT_OF_MEMORY)
                continue
            for entry, (state, pcm) in zip(part, made, strict=False):  # none of an abandoned call
                self._apply(entry, state, pcm)
            num_made += len(made)
        if num_made:
            self.counts.num_rows += num_made
            self.counts.step_ms.append((time.monotonic() - began_s) * 1000)

    def _voice(self, entries: Sequence[_Segment]) -> list[tuple[VocoderState, NDArray[np.float32]]]:
        """What one call makes of their next cells; nothing where it is abandoned."""
        try:
            return self._decoder.run(
                [entry.job for entry in entries], partial(self._go_on, entries)
            )
        except Abandoned:
            return []  # the cancels follow

    def _go_on(self, entries: Sequence[_Segment]) -> None:
        if all(self._cancel_is_due(*entry.address) for entry in entries):
            raise Abandoned

    def _apply(self, entry: _Segment, state: VocoderState, pcm: NDArray[np.float32]) -> None:
        """What a cell made: the next state, the sound that is final, perhaps the end."""
        cell = entry.upcoming
        assert cell is not None
        counts, num_tokens = self.counts, cell.end - cell.start
        self._voiced[entry.request.key] += num_tokens
        counts.num_tokens += num_tokens
        entry.state, entry.cell, entry.upcoming = state, cell, None
        finish = entry.finish if cell.is_last else None
        if len(pcm) or finish is not None:
            self._items.append(SegmentAudio(*entry.address, entry.num_sent, pcm, cell.end, finish))
        if len(pcm):
            counts.num_marked += 1
            counts.late_ms.append(self._scheduler.sent(entry.address, len(pcm)) * 1000)
        entry.num_sent += len(pcm)
        if finish is not None:
            self._free(entry)
        else:
            self._advance(entry)

    def _fail(self, entry: _Segment, problem: str, fault: Fault | None = None) -> None:
        log.error("segment %d of %s: %s", entry.request.segment, entry.request.key, problem)
        self._end(entry, FinishReason.ERROR, fault)

    def _end(self, entry: _Segment, finish: FinishReason, fault: Fault | None = None) -> None:
        num_voiced = 0 if entry.cell is None else entry.cell.end
        item = SegmentAudio(*entry.address, entry.num_sent, _SILENCE, num_voiced, finish, fault)
        self._items.append(item)
        self._free(entry)

    def _free(self, entry: _Segment) -> None:
        """The only place where a segment's hold on anything ends."""
        del self._segments[entry.address]
        self._scheduler.remove(entry.address)
        self._waiting.pop(entry.address, None)
        if entry.state is not None:
            self._num_live -= 1
        if not any(key == entry.request.key for key, _ in self._segments):
            self._voiced.pop(entry.request.key, None)


def build_vocoder_engine(
    vocoder: Vocoder, settings: VocoderSettings, num_steps: int
) -> VocoderEngine:
    """`vocoder` belongs to the engine from here on; `num_steps`: the model's own Euler steps.
    Raises ConfigError where it cannot be served."""
    decoder = Decoder(vocoder, settings, num_steps)
    rows, most = max_rows(settings, decoder.device), most_tokens(settings, decoder.device)
    return VocoderEngine(decoder, settings.slots, time.monotonic, rows, most)
