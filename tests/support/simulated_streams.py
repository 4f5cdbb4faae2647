"""A stream on a machine of constant speed, simulated to its end: what a forecast must foresee."""

import random
from collections.abc import Callable
from dataclasses import dataclass

from app.core import LOOK_AHEAD_TOKENS, TOKENS_PER_S, Cost
from app.sessions.smoothness import Shape

NUM_MACHINES = 1000
SHAPE = Shape(ladder=(13, 26, 52), held_back_s=0.22, first_group=3, group=13)


Noise = Callable[[], float]


@dataclass(frozen=True)
class Machine:
    tokens_per_s: float
    cost: Cost
    prompt_s: float
    speed: float = 1.0
    pauses_s: tuple[float, ...] = ()


def machines(num: int = NUM_MACHINES) -> list[Machine]:
    """Slow and fast ones: from a half of real time to twenty times."""
    dice = random.Random(12)
    return [
        Machine(
            dice.uniform(12, 500),
            Cost(dice.uniform(0, 0.5), dice.uniform(0, 0.06)),
            dice.uniform(0.001, 1),
            dice.choice((0.5, 1.0, 2.0)),
            tuple(dice.choice((0.0, 0.5)) for _ in range(4)),
        )
        for _ in range(num)
    ]


def text_of(num_tokens: int) -> str:
    """A text of which this number of tokens is expected."""
    return "a" * round(num_tokens * 12 / TOKENS_PER_S)


@dataclass(frozen=True)
class Event:
    at_s: float
    segment: int
    kind: str  # asked, tokens, sound
    num_tokens: int = 0
    is_last: bool = False


def play(
    machine: Machine, texts: tuple[str, ...], noise: Noise = lambda: 1.0
) -> tuple[list[Event], float]:
    """Everything that happens to a stream, and how long its player must wait after the first
    sound. `noise`: a factor of the cost of a cell."""
    events: list[Event] = []
    arrived: list[tuple[float, float]] = []  # when sound was there, the sound that left before it
    asked_s = voiced_s = sound_s = pause_s = 0.0
    for segment, text in enumerate(texts):
        pause_s += machine.pauses_s[segment] if machine.pauses_s else 0.0
        total = round(len(text) * TOKENS_PER_S / 12)
        events.append(Event(asked_s, segment, "asked"))
        sent = {}
        num_sent = min(SHAPE.first_group, total)
        while True:
            at_s = asked_s + machine.prompt_s + num_sent / machine.tokens_per_s
            sent[num_sent] = at_s
            events.append(Event(at_s, segment, "tokens", num_sent, num_sent == total))
            if num_sent == total:
                break
            num_sent = min(total, num_sent + SHAPE.group)
        asked_s = at_s
        end = 0
        for size in SHAPE.cells(total):
            start, end = end, end + size
            needed = min(total, end + LOOK_AHEAD_TOKENS)
            ready_s = min(s for n, s in sent.items() if n >= needed)
            voiced_s = max(ready_s, voiced_s) + noise() * machine.cost.of(size)
            left_s = sound_s + start / TOKENS_PER_S - (SHAPE.held_back_s if start else 0.0)
            arrived.append((voiced_s, (left_s + pause_s) / machine.speed))
            events.append(Event(voiced_s, segment, "sound", end))
        sound_s += total / TOKENS_PER_S
    first_s = arrived[0][0]
    late = [at_s - first_s - played_s for at_s, played_s in arrived[1:]]
    return sorted(events, key=lambda event: event.at_s), max([0.0, *late])


def sounds(events) -> list[float]:
    return [event.at_s for event in events if event.kind == "sound"]
