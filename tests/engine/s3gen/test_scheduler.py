"""The scheduler against a simulated clock; a cell of work is a number of seconds."""

import random
from collections import deque
from dataclasses import dataclass

from app.core import SAMPLE_RATE, SessionKey
from app.engine.s3gen.scheduler import START_MARGIN_S, Address, SlackScheduler


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def stream(name: str, segment: int = 0) -> Address:
    return SessionKey("default", name), segment


def scheduler_of(clock: Clock, *names: str) -> SlackScheduler:
    scheduler = SlackScheduler(clock)
    for name in names:
        scheduler.add(stream(name))
    return scheduler


def test_the_stream_with_the_least_left_to_play_goes_first():
    clock = Clock()
    scheduler = scheduler_of(clock, "rich", "poor")
    scheduler.sent(stream("poor"), SAMPLE_RATE)
    scheduler.sent(stream("rich"), 3 * SAMPLE_RATE)
    clock.now = 0.5
    for name in ("rich", "poor"):
        scheduler.ready(stream(name))
    assert scheduler.schedule(1) == [stream("poor")]
    assert scheduler.schedule(8) == [stream("rich")]
    assert scheduler.schedule(8) == []


def test_a_newcomer_starts_once_nobody_is_about_to_starve():
    clock = Clock()
    scheduler = scheduler_of(clock, "playing", "new", "newer")
    scheduler.sent(stream("playing"), SAMPLE_RATE)
    clock.now = 0.5
    for name in ("new", "newer", "playing"):
        scheduler.ready(stream(name))
    assert scheduler.schedule(1) == [stream("playing")]
    scheduler.sent(stream("playing"), round(SAMPLE_RATE * START_MARGIN_S))
    scheduler.ready(stream("playing"))
    assert scheduler.schedule(3) == [stream("new"), stream("newer"), stream("playing")]


def test_segments_of_a_session_share_its_clock():
    clock = Clock()
    scheduler = scheduler_of(clock, "other", "session")
    scheduler.add(stream("session", 1))
    scheduler.sent(stream("session", 0), SAMPLE_RATE)
    scheduler.sent(stream("other"), 2 * SAMPLE_RATE)
    scheduler.remove(stream("session", 0))
    clock.now = 0.9
    for address in (stream("other"), stream("session", 1)):
        scheduler.ready(address)
    assert scheduler.schedule(2) == [stream("session", 1), stream("other")]
    for address in (stream("other"), stream("session", 1)):
        scheduler.remove(address)
    assert scheduler.is_empty


def test_a_stall_is_over_once_sound_comes_again():
    clock = Clock()
    scheduler = scheduler_of(clock, "stalled", "other")
    scheduler.sent(stream("stalled"), SAMPLE_RATE)
    clock.now = 10.0
    scheduler.sent(stream("stalled"), SAMPLE_RATE)
    scheduler.sent(stream("other"), SAMPLE_RATE // 2)
    for name in ("stalled", "other"):
        scheduler.ready(stream(name))
    assert scheduler.schedule(1) == [stream("other")]


def test_a_removed_stream_is_never_scheduled():
    scheduler = scheduler_of(Clock(), "a", "b")
    for name in ("a", "b"):
        scheduler.ready(stream(name))
    scheduler.remove(stream("a"))
    assert scheduler.schedule(8) == [stream("b")]


def test_beside_the_most_urgent_go_only_those_who_are_light_enough():
    names = ("a", "b", "c", "d")
    scheduler = scheduler_of(Clock(), *names)
    for name in names:
        scheduler.ready(stream(name))
    weights = {stream("a"): 120, stream("b"): 40, stream("c"): 50, stream("d"): 20}
    assert scheduler.schedule(8, weights.__getitem__, 100) == [stream("a")]  # alone it may be heavy
    assert scheduler.schedule(8, weights.__getitem__, 100) == [stream("b"), stream("c")]
    assert scheduler.schedule(8, weights.__getitem__, 100) == [stream("d")]


class FirstComeFirstServed:
    """What SlackScheduler replaces."""

    def __init__(self) -> None:
        self._ready: deque[Address] = deque()

    def add(self, address: Address) -> None:
        """Keeps nothing of a stream."""

    remove = add

    def ready(self, address: Address) -> None:
        self._ready.append(address)

    def schedule(self, limit: int) -> list[Address]:
        return [self._ready.popleft() for _ in range(min(limit, len(self._ready)))]

    def sent(self, address: Address, num_samples: int) -> None:
        """Keeps nothing of a stream."""


@dataclass
class Listener:
    """Plays from the first sound on."""

    num_cells: int = 0
    sent_s: float = 0.0
    since: float | None = None
    stalled_s: float = 0.0

    def hear(self, now: float, cell_s: float) -> None:
        self.since = now if self.since is None else self.since
        self.stalled_s = max(self.stalled_s, now - self.since - self.sent_s)
        self.sent_s += cell_s
        self.num_cells += 1


CELLS_S = (0.25, 0.5, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0)  # a stream's cells
COST = 1 / 40  # of a cell, per second of it: the device speaks for 40 at once
LOAD = 0.95


def worst_stall_s(scheduler: SlackScheduler | FirstComeFirstServed, clock: Clock) -> float:
    """A thousand callers, come at random at 95 % of capacity, whose tokens are always there."""
    rng = random.Random(4)
    between_s = sum(CELLS_S) * COST / LOAD
    arrivals = deque(
        sorted((rng.uniform(0, 1000 * between_s), stream(f"{n}")) for n in range(1000))
    )
    listeners: dict[Address, Listener] = {}
    while len(listeners) < 1000 or any(one.num_cells < len(CELLS_S) for one in listeners.values()):
        while arrivals and arrivals[0][0] <= clock.now:
            _, address = arrivals.popleft()
            listeners[address] = Listener()
            scheduler.add(address)
            scheduler.ready(address)
        chosen = scheduler.schedule(1)
        if not chosen:
            clock.now = arrivals[0][0]
            continue
        listener = listeners[chosen[0]]
        cell_s = CELLS_S[listener.num_cells]
        clock.now += cell_s * COST
        listener.hear(clock.now, cell_s)
        scheduler.sent(chosen[0], round(cell_s * SAMPLE_RATE))
        if listener.num_cells < len(CELLS_S):
            scheduler.ready(chosen[0])
        else:
            scheduler.remove(chosen[0])
    return max(one.stalled_s for one in listeners.values())


def test_at_95_percent_of_capacity_no_stream_stalls():
    clock = Clock()
    assert worst_stall_s(SlackScheduler(clock), clock) <= 0.1


def test_first_come_first_served_stalls_in_the_same_simulation():
    """The control of the test above."""
    assert worst_stall_s(FirstComeFirstServed(), Clock()) > 0.1


def test_late_is_what_the_most_urgent_listener_has_waited_for_a_cell_that_can_run():
    clock = Clock()
    scheduler = scheduler_of(clock, "playing", "rich")
    scheduler.sent(stream("playing"), SAMPLE_RATE)
    scheduler.sent(stream("rich"), 9 * SAMPLE_RATE)
    for name in ("playing", "rich"):
        scheduler.ready(stream(name))
    clock.now = 0.75
    assert scheduler.late_s({}) == 0.0
    clock.now = 1.25
    assert scheduler.late_s({}) == 0.25
    scheduler.schedule(1)
    assert scheduler.late_s({}) == 0.0


def test_a_first_cell_is_late_from_the_moment_it_could_run_wherever_it_waits():
    clock = Clock()
    scheduler = scheduler_of(clock, "ready", "slotless")
    clock.now = 2.0
    scheduler.ready(stream("ready"))
    scheduler.ready(stream("ready"))
    clock.now = 2.5
    assert scheduler.late_s({}) == 0.5
    assert scheduler.late_s({stream("slotless"): 1.0}) == 1.5
