"""Measures the cost of a cancel that comes from another thread at any moment of a step.

Knows nothing about the other sides of the benchmark.
"""

import asyncio
import time
from itertools import pairwise
from statistics import median
from typing import NamedTuple

from app.core import SessionKey, SpeechTokens
from app.engine.loop import EngineLoop
from app.engine.stream import EngineStream
from app.engine.t3.sequence import Sequence
from benchmarks.t3_sides import Engine, Step, Subject

_STEPS_BETWEEN = 4  # tokens of a neighbour between two cancels
_GOLDEN = 0.618  # the multiples of this fraction spread evenly over a step


class CancelCost(NamedTuple):
    """Medians over the cancels of half of `num_sequences`, one by one; times in seconds."""

    num_sequences: int
    until_acknowledged_s: float
    until_step_without_s: float  # until the first step without the sequence begins
    most_steps_begun_after: int  # steps with the sequence that began after the call
    step_before_s: float  # with all sequences
    step_after_s: float  # with half of the sequences


class _Cancel(NamedTuple):
    key: SessionKey
    sent_s: float
    acknowledged_s: float


def cancel_cost(engine: Engine, subject: Subject, num_sequences: int) -> CancelCost:
    """`num_sequences` is at least 2."""
    loop: EngineLoop[Sequence, SpeechTokens] = EngineLoop(engine.tokens, "T3")
    engine.steps.clear()
    loop.start()
    try:
        cancels = asyncio.run(_cancel_half(loop, engine, subject, num_sequences))
    finally:
        loop.close()
    steps = engine.steps
    return CancelCost(
        num_sequences,
        median([cancel.acknowledged_s - cancel.sent_s for cancel in cancels]),
        median([_first_without(cancel, steps) - cancel.sent_s for cancel in cancels]),
        max(sum(s.at > c.sent_s and c.key in s.keys for s in steps) for c in cancels),
        _interval([step for step in steps if len(step.keys) == num_sequences]),
        _interval([step for step in steps if len(step.keys) == num_sequences - len(cancels)]),
    )


async def _cancel_half(
    loop: "EngineLoop[Sequence, SpeechTokens]", engine: Engine, subject: Subject, num: int
) -> list[_Cancel]:
    requests = [subject.request(f"cancel-{n}", 8 * num + 64, seed=n) for n in range(num)]
    streams = [loop.open(request.key, 0, engine.tokens.prepare(request)) for request in requests]
    for stream in streams:
        await anext(stream)
    cancels = []
    for n, request in enumerate(requests[: num // 2]):
        await _receive(streams[-1], _STEPS_BETWEEN)
        await asyncio.sleep(_interval(engine.steps[-3:]) * (n * _GOLDEN % 1))
        sent_s = time.perf_counter()
        await loop.cancel(request.key)
        cancels.append(_Cancel(request.key, sent_s, time.perf_counter()))
    await _receive(streams[-1], 2 * _STEPS_BETWEEN)
    for request, stream in zip(requests, streams, strict=True):
        await loop.cancel(request.key)
        async for _ in stream:
            pass
    return cancels


async def _receive(stream: EngineStream[SpeechTokens], num_items: int) -> None:
    for _ in range(num_items):
        await anext(stream)


def _first_without(cancel: _Cancel, steps: list[Step]) -> float:
    return next(s.at for s in steps if s.at > cancel.sent_s and cancel.key not in s.keys)


def _interval(steps: list[Step]) -> float:
    """The median time from the start of a step to the start of the next."""
    return median([after.at - before.at for before, after in pairwise(steps)])
