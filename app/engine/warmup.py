"""A replica's first syntheses, whose results are dropped, and the speed that they show.

Libraries load and plan in their first call. A replica that is warm before it is ready makes no
session wait for that: a replica that is added under load relieves the others at once. Knows nothing
about voices or models.
"""

import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from typing import Protocol, TypeVar

from app.core import SessionKey
from app.engine.loop import Engine
from app.engine.speed import CallSpeed, fit
from app.engine.stream import Item

WARMUP_KEY = SessionKey("", "warmup")  # no caller's session: a caller's tenant has a name
MEASURE_S = 2.0  # of one engine

MessageT = TypeVar("MessageT")
MessageT_contra = TypeVar("MessageT_contra", contravariant=True)
ItemT = TypeVar("ItemT", bound=Item)
Timer = Callable[[], float]


class MeasuredEngine(Engine[MessageT_contra, ItemT], Protocol):
    speed: CallSpeed
    last_count: float | None  # sequences or tokens of the last step; None: the step tells nothing


def warm_up(engine: Engine[MessageT, ItemT], messages: Sequence[MessageT]) -> None:
    """Call before the engine's loop starts."""
    for message in messages:
        engine.receive(message)
    while engine.has_work():
        engine.step()


def measure(
    engine: MeasuredEngine[MessageT, ItemT],
    runs: Iterable[Sequence[MessageT]],
    timer: Timer,
    within_s: float = MEASURE_S,
) -> None:
    """Warm the engine up with the first run, and measure its speed in all of them. The later runs
    are cut off when the time is over. Call before the engine's loop starts."""
    took_s: dict[float, list[float]] = defaultdict(list)
    ends_s = timer() + within_s
    for number, messages in enumerate(runs):
        for message in messages:
            engine.receive(message)
        while engine.has_work():
            began_s = timer()
            engine.step()
            if engine.last_count is not None:
                took_s[engine.last_count].append(timer() - began_s)
            if number and timer() > ends_s:
                engine.cancel(WARMUP_KEY, None)
        if timer() > ends_s:
            break
    if (cost := fit(took_s)) is not None:
        engine.speed.begin(cost)


def timer_of(device: str) -> Timer:
    """The clock that tells what a call costs a device of this type. On a CPU other replicas load
    at the same time, and take the core away from a call in its middle: the time of this thread
    alone counts."""
    return time.thread_time if device == "cpu" else time.perf_counter
