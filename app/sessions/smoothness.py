"""How long the player of one stream must wait, and how many streams a stage bears.

The recurrence of app/sessions/recurrence.py from the middle of a stream on: what has come is known,
and the rest follows from T3's rate for the stream and the cost of its cells. Times are seconds on
one clock. Knows nothing about engines, messages or waiting.
"""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from typing import NamedTuple

from app.core import LOOK_AHEAD_TOKENS, TOKENS_PER_S, Cost, StageStats
from app.sessions.model_state import ENGINES
from app.sessions.recurrence import TOKEN_S, CellCost, cell_size, prebuffer_s
from app.text.duration import predicted_s

RATE_GROUPS = 2  # T3's rate is that of its newest messages: older ones tell of another load
MOST_SLOWER = 3.0  # a cell that took even longer was stopped by something that ends
TYPICAL_TOKENS = 100  # of a segment, where one must be assumed
BUSY = 0.75  # the share of a stage's time that streams may take: prompts and chance take the rest
NOISE = 0.35  # of what a stage bears, in streams


@dataclass(frozen=True, slots=True)
class Shape:
    """How the tokens and the sound of a stream are cut: the same for every stream of a replica."""

    ladder: tuple[int, ...]  # tokens in a segment's first cells; the last size is repeated
    held_back_s: float  # sound of the newest cell that leaves with the next one
    first_group: int  # tokens in T3's first message of a segment
    group: int  # in each later one
    num_rows: int = 1  # the most cells in one call

    def cells(self, num_tokens: int, index: int = 0) -> list[int]:
        """The sizes of a segment's last cells, from `index` on, which have `num_tokens` in all. A
        rest that is shorter than a look-ahead joins the cell before it."""
        sizes: list[int] = []
        while num_tokens > 0:
            size = cell_size(self.ladder, index + len(sizes))
            size = num_tokens if num_tokens < size + LOOK_AHEAD_TOKENS else size
            sizes.append(size)
            num_tokens -= size
        return sizes

    def sent_with(self, num_tokens: int) -> int:
        """The number of tokens that are there once the first `num_tokens` of a segment are."""
        groups = math.ceil(max(0, num_tokens - self.first_group) / self.group)
        return self.first_group + groups * self.group


class Company(NamedTuple):
    """The other sessions that a replica speaks."""

    num_silent: int = 0  # they have no sound yet, and give way to those that play with little left
    num_starting: int = 0  # they play with little sound left: their cells are wanted now
    num_ahead: int = 0  # they have sound left, and give way


def cost_beside(cost: Cost, shape: Shape, company: Company) -> CellCost:
    """Of a cell beside other sessions. It waits for the end of one call for those that give way: a
    first cell of one without sound, or any cell of one that is ahead. It shares its own calls with
    a cell like itself of each one that starts."""
    wait_s = cost.of(shape.ladder[0]) if company.num_silent else 0.0
    wait_s = cost.of(max(shape.ladder)) if company.num_ahead else wait_s
    num_cells = 1 + company.num_starting
    calls_s = math.ceil(num_cells / shape.num_rows) * cost.base_s
    return lambda num_tokens: wait_s + calls_s + num_cells * num_tokens * cost.each_s


class _Count(NamedTuple):
    num_tokens: int
    at_s: float


@dataclass(slots=True)
class _Segment:
    """What has come of one segment."""

    expected: int  # tokens, estimated from its text
    asked_s: float | None = None  # when T3 was asked for it
    messages: list[_Count] = field(default_factory=list)  # tokens that are there, since when
    voiced: list[_Count] = field(default_factory=list)  # the same, with sound
    is_whole: bool = False  # T3 has ended it

    @property
    def num_there(self) -> int:
        return self.messages[-1].num_tokens if self.messages else 0

    @property
    def num_tokens(self) -> int:
        return self.num_there if self.is_whole else max(self.expected, self.num_there + 1)

    def tokens_per_s(self) -> float | None:
        """T3's rate for it lately; None where it has sent less than two messages."""
        newest = self.messages[-1 - RATE_GROUPS :]
        took_s = newest[-1].at_s - newest[0].at_s if newest else 0.0
        return (newest[-1].num_tokens - newest[0].num_tokens) / took_s if took_s > 0 else None


def _slower(took_s: float, cost_s: float) -> float:
    """How much longer than their costs the next cells will take, after one that took `took_s`.
    Other work on the cores may go on, or was a chance: the mean of both, as factors."""
    return math.sqrt(min(max(1.0, took_s / cost_s), MOST_SLOWER)) if cost_s > 0 else 1.0


class StreamForecast:
    """Of one stream. `tokens` and `sound` note what comes of it, in order."""

    def __init__(
        self,
        shape: Shape,
        segments: Sequence[str],
        *,
        speed: float = 1.0,
        pauses_s: Sequence[float] = (),
    ) -> None:
        """`segments`: their texts. `speed` and `pauses_s`: as in app.core.SynthesisRequest."""
        self._shape = shape
        self._segments = [
            _Segment(round(predicted_s(len(text)) * TOKENS_PER_S)) for text in segments
        ]
        self._speed = speed
        self._pauses_s = list(accumulate(pauses_s))[: len(segments)] or [0.0] * len(segments)

    def asked(self, segment: int, at_s: float) -> None:
        self._segments[segment].asked_s = at_s

    def tokens(self, segment: int, num_tokens: int, at_s: float, *, is_last: bool) -> None:
        """The segment's first `num_tokens` are there."""
        there = self._segments[segment]
        there.messages.append(_Count(num_tokens, at_s))
        there.is_whole = is_last

    def sound(self, segment: int, num_tokens: int, at_s: float) -> None:
        """The sound of the segment's first `num_tokens` is there, but for what is held back."""
        self._segments[segment].voiced.append(_Count(num_tokens, at_s))

    def prebuffer_s(self, now_s: float, cell_cost: CellCost, *, is_alone: bool = True) -> float:
        """How long after its first sound the stream may be played, so that its player never runs
        dry. `cell_cost` has the wait for other streams' cells in it. A cell that came late tells of
        a slow machine where the stream `is_alone`; else it may have waited for the others."""
        arrived: list[float] = []
        played: list[float] = []
        sound_s, asked_s = 0.0, 0.0  # of the segments before; when T3 is asked for the next one
        slower = 1.0  # than their costs: the next cells
        for there, pause_s in zip(self._segments, self._pauses_s, strict=True):
            ready_s, end = self._ready_s(there, asked_s), 0
            for size, voiced_s in self._cells(there):
                held_back_s = self._shape.held_back_s if end else 0.0
                played.append(max(0.0, sound_s + end * TOKEN_S - held_back_s) + pause_s)
                end += size
                begins_s = max([ready_s(self._needed(there, end)), *arrived[-1:]])
                cost_s = cell_cost(size)
                if voiced_s is not None:
                    arrived.append(voiced_s)
                    slower = _slower(voiced_s - begins_s, cost_s) if is_alone else 1.0
                else:
                    arrived.append(max(now_s, begins_s + slower * cost_s))
            sound_s += there.num_tokens * TOKEN_S
            asked_s = ready_s(there.num_tokens)
        played = [played_s / self._speed for played_s in played]
        return prebuffer_s(arrived, [0.0, *played[1:]]) if arrived else 0.0

    def _cells(self, there: _Segment) -> Iterator[tuple[int, float | None]]:
        """The tokens of each cell, and when its sound was there; None: it is not there yet."""
        end = 0
        for count in there.voiced:
            yield count.num_tokens - end, count.at_s
            end = count.num_tokens
        for size in self._shape.cells(there.num_tokens - end, len(there.voiced)):
            yield size, None

    @staticmethod
    def _needed(there: _Segment, end: int) -> int:
        """The tokens that must be there before the cell that ends at `end` can run."""
        return end if end >= there.num_tokens else end + LOOK_AHEAD_TOKENS

    def _ready_s(self, there: _Segment, asked_s: float) -> Callable[[int], float]:
        """When T3 has sent the first n tokens of a segment. T3 is asked for it at `asked_s`, unless
        it was asked already."""
        rate, first_s = self._pace()
        asked_s = asked_s if there.asked_s is None else there.asked_s
        first = _Count(self._shape.first_group, asked_s + first_s)
        newest = there.messages[-1] if there.messages else first

        def ready_s(num_tokens: int) -> float:
            for count in there.messages:
                if count.num_tokens >= num_tokens:
                    return count.at_s
            sent_with = min(self._shape.sent_with(num_tokens), there.num_tokens)
            return newest.at_s + max(0, sent_with - newest.num_tokens) / rate

        return ready_s

    def _pace(self) -> tuple[float, float]:
        """T3's tokens a second for this stream, and its time until a segment's first message."""
        begun = [there for there in self._segments if there.messages]
        if not begun:
            return math.inf, 0.0
        first, asked_s = begun[0].messages[0], begun[0].asked_s
        first_s = max(0.0 if asked_s is None else first.at_s - asked_s, 1e-3)
        rates = [rate for there in begun if (rate := there.tokens_per_s()) is not None]
        return (rates[-1] if rates else first.num_tokens / first_s), first_s


def t3_bears(step: Cost, slots: int) -> float:
    """The number of streams of which T3 makes one token each in the time that a token plays, all
    of T3's time taken. `step`: of a step, by its number of sequences."""
    left_s = TOKEN_S - step.base_s
    if left_s < step.each_s:  # not even one
        return TOKEN_S / step.of(1)
    return min(slots, left_s / step.each_s) if step.each_s > 0 else float(slots)


def vocoder_bears(cell: Cost, shape: Shape, slots: int) -> float:
    """The same of the vocoder, for segments of a usual length, voiced cell by cell."""
    work_s = sum(map(cell.of, shape.cells(TYPICAL_TOKENS)))
    return min(slots, TYPICAL_TOKENS * TOKEN_S / work_s) if work_s > 0 else float(slots)


def stage_bears(bears: Callable[[Cost], float], now: Cost, full: Cost | None) -> float:
    """`bears`, of the cost on a full machine; a lone stream has the machine of now. `full`: None
    where it is not known."""
    return max(bears(full or now), min(1.0, bears(now)))


class Capacity:
    """The number of smooth streams of a server. It falls only where the server bears clearly less,
    so that the noise of the estimate refuses no one."""

    def __init__(self) -> None:
        self._value: int | None = None

    def follow(self, stages: Mapping[str, StageStats]) -> int | None:
        """From what each stage bears now. None until all have told. 0: slower than real time."""
        told = [stages[name].bears for name in ENGINES if name in stages]
        bears = [number for number in told if number is not None]
        if len(bears) == len(ENGINES):
            now = _smooth_streams(min(bears))
            likely = _smooth_streams(min(bears) + NOISE)
            self._value = max(now, min(likely, now if self._value is None else self._value))
        return self._value


def _smooth_streams(bears: float) -> int:
    return max(math.floor(bears * BUSY), int(bears >= 1))
