"""The vocoder engine: speech tokens of many segments in, watermarked sound of each out.

Implements app.engine.loop.Engine. A step schedules the most urgent segments, runs one cell of each
and emits their sound. A segment holds one of `slots` from its first cell to its end, and waits with
its tokens until a slot is free. Knows nothing about asyncio, T3 or HTTP.
"""

import logging
import math
from collections import Counter, deque
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

from app.core import Fault, FinishReason, SessionKey, SpeechTokens, StageStats
from app.engine.device.out_of_memory import run_in_halves
from app.engine.loop import CancelIsDue, Stopped
from app.engine.s3gen.call_stage import Abandoned, CallStage, OnStage, ignore_stage
from app.engine.s3gen.decoder import Decoder, VocoderState
from app.engine.s3gen.ladders import Ladder
from app.engine.s3gen.messages import (
    OpenSegment,
    PlaybackBegins,
    SegmentAudio,
    UseCells,
    VocoderCall,
    VocoderMessage,
    problem_of,
)
from app.engine.s3gen.scheduler import SlackScheduler
from app.engine.s3gen.segment import Segment, start_state
from app.engine.speed import CallSpeed
from app.engine.stats import CellCounts
from app.engine.stream import SegmentKey

log = logging.getLogger(__name__)

_CALL_WEIGHT = 1 / 8  # in the estimate of the speed: eight cells are some seconds
_CALLS_KEPT = 1024  # the newest; a cancel counts those that began after it, at once
_SILENCE = np.zeros(0, np.float32)
_ENDS_AT_ONCE = (FinishReason.CANCELLED, FinishReason.ERROR)


class VocoderEngine:
    """Many segments, one call of the decoder per step."""

    def __init__(
        self,
        decoder: Decoder,
        slots: int,
        clock: Callable[[], float],
        *,
        max_rows: int = 1,
        max_call_tokens: float = math.inf,
        on_stage: OnStage = ignore_stage,
    ) -> None:
        """One call runs at most `max_rows` cells, of at most `max_call_tokens` together. With 1 row
        a segment is bit-exact beside any others. `on_stage` is called before each stage of a call,
        so that a test can hold the engine there. `clock` gives seconds, for deadlines and the
        speed."""
        self._decoder = decoder
        self.device = decoder.device
        self._grid = decoder.grid
        self.max_tokens = decoder.max_tokens
        self._slots = slots
        self.max_rows = max_rows
        self._call_tokens = max_call_tokens
        self._on_stage = on_stage
        self._clock = clock
        self._scheduler = SlackScheduler(clock)
        self._segments: dict[SegmentKey, Segment] = {}
        self._num_live = 0
        self._waiting: dict[SegmentKey, float] = {}  # for a slot, since when; in order
        self._voiced: Counter[SessionKey] = Counter()  # tokens, of sessions with open segments
        self._items: list[SegmentAudio] = []  # the next step's output
        self._cancel_is_due: CancelIsDue = lambda key, segment: False
        self.call_log: deque[VocoderCall] = deque(maxlen=_CALLS_KEPT)
        self.counts = CellCounts()
        self.speed = CallSpeed(_CALL_WEIGHT)
        self.last_count: float | None = None  # tokens that the last step voiced; None: it failed

    def abandon_if(self, cancel_is_due: CancelIsDue) -> None:
        """Leave a call between two stages once a cancel is due for each of its segments. The
        cancels follow."""
        self._cancel_is_due = cancel_is_due

    # -- app.engine.loop.Engine ------------------------------------------------------------------

    def receive(self, message: VocoderMessage) -> None:
        match message:
            case OpenSegment():
                self._open(message)
            case SpeechTokens():
                self._push(message)
            case PlaybackBegins():
                self._scheduler.begin(message.key, message.at_s)
            case UseCells():
                self._use(message.ladder)

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
        limits = self.max_rows, self._num_upcoming, self._call_tokens
        self._run(self._scheduler.schedule(*limits, self.speed.cost))
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
            cost=self.speed.cost,
            cells=self._grid.ladder,
        )

    def pause_s(self) -> float:
        if self._items or self._can_admit():
            return 0.0
        return self._scheduler.pause_s(self.max_rows, self._num_upcoming, self.speed.cost)

    def due_s(self) -> float:
        return self._scheduler.due_s(self._waiting)

    def check_integrity(self) -> None:
        """Raises RuntimeError where no segment is open and yet something is not free."""
        if self._segments:
            return
        if self._num_live or self._waiting or self._voiced or not self._scheduler.is_empty:
            raise RuntimeError(
                f"idle, yet {self._num_live} slots are held, {len(self._waiting)} segments wait "
                f"and {len(self._voiced)} sessions are counted"
            )

    # -- one segment's life: open, push, admit, run, end, free -----------------------------------

    def _open(self, request: OpenSegment) -> None:
        entry = Segment(request)
        if entry.key in self._segments:
            raise ValueError(f"segment {request.segment} of {request.key.session_id} is open")
        self._segments[entry.key] = entry
        self._scheduler.add(entry.key, is_told=request.is_told)

    def _use(self, ladder: Ladder) -> None:
        if self._segments:  # their sound would depend on the moment
            raise RuntimeError(f"the cells change while {len(self._segments)} segments are open")
        self._grid = replace(self._grid, ladder=ladder)

    def _push(self, tokens: SpeechTokens) -> None:
        entry = self._segments.get(SegmentKey(tokens.key, tokens.segment))
        if entry is None or entry.finish is not None:
            return  # the segment ended while these tokens were on their way
        if tokens.finish in _ENDS_AT_ONCE:
            self._end(entry, tokens.finish)
        elif problem := problem_of(
            tokens, entry.tokens, self.max_tokens(entry.request.conditionals)
        ):
            self._fail(entry, problem)
        else:
            entry.extend(tokens)
            self._scheduler.came(entry.key)
            self._advance(entry)

    def _advance(self, entry: Segment) -> None:
        """Queue the next cell once it can run."""
        if entry.finish is not None and not entry.tokens:
            self._end(entry, entry.finish)
            return
        entry.upcoming = self._grid.next_cell(
            entry.cell, len(entry.tokens), finished=entry.finish is not None
        )
        if entry.upcoming is None:
            return
        if entry.state is None:
            self._waiting.setdefault(entry.key, self._clock())
        else:
            self._scheduler.ready(entry.key)

    def _can_admit(self) -> bool:
        return bool(self._waiting) and self._num_live < self._slots

    def _admit(self) -> None:
        while self._can_admit():
            entry = self._segments[next(iter(self._waiting))]
            del self._waiting[entry.key]
            try:
                entry.state = start_state(self._decoder, entry.request)
            except ValueError as error:
                self._fail(entry, f"voice {entry.request.voice}: {error}")
                continue
            if entry.state is None:
                self._fail(entry, "no memory is left", Fault.OUT_OF_MEMORY)
            else:
                self._num_live += 1
                self._scheduler.ready(entry.key)

    def _num_upcoming(self, key: SegmentKey) -> int:
        return self._segments[key].job.cell.num_tokens

    def _run(self, keys: list[SegmentKey]) -> None:
        self.last_count = None
        if not keys:
            return
        began_s = self._clock()
        entries = [self._segments[key] for key in keys]
        num_tokens = sum(map(self._num_upcoming, keys))
        self.call_log.extend(VocoderCall(*one.key, one.job.cell, began_s) for one in entries)
        num_made = 0
        for part, made in run_in_halves(entries, self._voice, self._decoder.device):
            if made is None:
                self._fail(part[0], "no memory is left", Fault.OUT_OF_MEMORY)
                continue
            for entry, (state, pcm) in zip(part, made, strict=False):  # an abandoned call made none
                self._apply(entry, state, pcm)
            num_made += len(made)
        took_s = self._clock() - began_s
        if num_made == len(entries):
            self.last_count = num_tokens
            self.speed.follow(num_tokens, took_s)
        if num_made:
            self.counts.num_rows += num_made
            self.counts.step_ms.append(took_s * 1000)

    def _voice(self, entries: Sequence[Segment]) -> list[tuple[VocoderState, NDArray[np.float32]]]:
        """The next cell of each segment in one call; empty where the call was abandoned."""
        try:
            return self._decoder.run(
                [entry.job for entry in entries], partial(self._before_stage, entries)
            )
        except Abandoned:
            return []  # the cancels follow

    def _before_stage(self, entries: Sequence[Segment], stage: CallStage) -> None:
        self._on_stage(stage)
        if all(self._cancel_is_due(*entry.key) for entry in entries):
            raise Abandoned

    def _apply(self, entry: Segment, state: VocoderState, pcm: NDArray[np.float32]) -> None:
        """Apply the result of a cell: the next state, the final sound, perhaps the end."""
        cell, counts = entry.upcoming, self.counts
        assert cell is not None
        self._voiced[entry.request.key] += cell.num_tokens
        counts.num_tokens += cell.num_tokens
        entry.state, entry.cell, entry.upcoming = state, cell, None
        finish = entry.finish if cell.is_last else None
        if len(pcm) or finish is not None:
            audio = SegmentAudio(*entry.key, entry.num_sent, pcm, cell.end, finish)
            self._items.append(replace(audio, words=entry.take_words()))
        if len(pcm):
            counts.num_marked += 1
            counts.late_ms.append(self._scheduler.sent(entry.key, len(pcm)) * 1000)
        entry.num_sent += len(pcm)
        if finish is not None:
            self._free(entry)
        else:
            self._advance(entry)

    def _fail(self, entry: Segment, problem: str, fault: Fault | None = None) -> None:
        key, segment = entry.request.key, entry.request.segment
        log.error("segment %d of %s: %s", segment, key, problem, extra={"session": key.session_id})
        self._end(entry, FinishReason.ERROR, fault)

    def _end(self, entry: Segment, finish: FinishReason, fault: Fault | None = None) -> None:
        self._items.append(
            SegmentAudio(*entry.key, entry.num_sent, _SILENCE, entry.num_voiced, finish, fault)
        )
        self._free(entry)

    def _free(self, entry: Segment) -> None:
        """The only place where anything that a segment holds falls free."""
        del self._segments[entry.key]
        self._scheduler.remove(entry.key)
        self._waiting.pop(entry.key, None)
        if entry.state is not None:
            self._num_live -= 1
        if not any(key == entry.request.key for key, _ in self._segments):
            self._voiced.pop(entry.request.key, None)
