"""Which settings a machine serves a model best with, by what its stages cost there.

The arithmetic is the server's own: what `/health` calls the capacity, and when the sound of a lone
stream begins. No two threads of engines get the same core, unless there is only one. Runs without
torch. Knows nothing about processes or files.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product

from app.config import ServeArgs
from app.core import Cost, StageStats
from app.engine.s3gen.ladders import RESERVE, Ladder, choose, starts_s
from app.engine.speed import FULL, scaled
from app.sessions.recurrence import held_back_s
from app.sessions.smoothness import Capacity, Shape, t3_bears, vocoder_bears

MEMORY_SHARE = 0.75  # of the machine's memory that replicas may take
_NUM_ENGINES = 2


@dataclass(frozen=True, slots=True)
class Measured:
    """One stage in one precision."""

    dtype: str
    costs: Mapping[int, Cost]  # by the number of threads
    memory_bytes: int  # of one replica


@dataclass(frozen=True, slots=True)
class Replicas:
    dtype: str
    threads: int
    count: int
    cost: Cost  # of one replica
    memory_bytes: int  # of all

    @property
    def num_cores(self) -> int:
        return self.threads * self.count


@dataclass(frozen=True, slots=True)
class Choice:
    t3: Replicas
    vocoder: Replicas
    ladder: Ladder  # tokens in a segment's first cells
    callers: int  # that listen at the same time without a gap; 0: slower than real time
    bears: float  # streams, all of the cores taken
    starts_s: float  # a lone stream's sound, from the end of the prompt, so that it never stops


def best(
    num_cores: int,
    memory_bytes: int,
    args: ServeArgs,
    t3: Sequence[Measured],
    vocoder: Sequence[Measured],
) -> Choice | None:
    """The choice with the most callers, and of those the one whose sound begins soonest. None where
    nothing was measured, or nothing fits into the memory."""
    room = max(num_cores, _NUM_ENGINES)
    pairs = product(_replicas(t3, room), _replicas(vocoder, room))
    choices = [
        _judged(*pair, args, num_cores)
        for pair in pairs
        if sum(each.num_cores for each in pair) <= room
        and sum(each.memory_bytes for each in pair) <= MEMORY_SHARE * memory_bytes
    ]
    return max(choices, key=_worth, default=None)


def _replicas(stage: Sequence[Measured], room: int) -> Iterator[Replicas]:
    for measured in stage:
        for threads, cost in measured.costs.items():
            for count in range(1, room // threads + 1):
                memory_bytes = count * measured.memory_bytes
                yield Replicas(measured.dtype, threads, count, cost, memory_bytes)


def _judged(t3: Replicas, vocoder: Replicas, args: ServeArgs, num_cores: int) -> Choice:
    settings = args.vocoder
    threads_of_a_core = max(1.0, (t3.num_cores + vocoder.num_cores) / num_cores)
    step, cell = (scaled(each.cost, threads_of_a_core) for each in (t3, vocoder))
    ladder = settings.cells or choose(step, cell, settings.halo_frames)
    shape = Shape(
        ladder,
        held_back_s(settings.halo_frames),
        args.t3.first_group,
        args.t3.group,
        settings.max_rows or 1,
    )
    bears = {
        "t3": t3.count * t3_bears(scaled(step, FULL), args.t3.slots),
        "vocoder": vocoder.count * vocoder_bears(scaled(cell, FULL), shape, settings.slots),
    }
    stages = {name: StageStats(bears=number) for name, number in bears.items()}
    return Choice(
        t3,
        vocoder,
        ladder,
        Capacity().follow(stages) or 0,
        min(bears.values()),
        starts_s(ladder, scaled(step, RESERVE), scaled(cell, RESERVE), settings.halo_frames),
    )


def _worth(choice: Choice) -> tuple[float, ...]:
    """Below one caller the share of real time counts."""
    share_of_real_time = min(choice.bears, 1.0)
    return (choice.callers, share_of_real_time, -choice.starts_s, -choice.t3.num_cores)
