"""The scheduler against a simulated clock. A cell is a number of seconds."""

import random
from collections import deque
from dataclasses import dataclass
from math import inf

from app.core import SAMPLE_RATE, SessionKey
from app.engine.s3gen.scheduler import START_MARGIN_S, SlackScheduler
from app.engine.stream import SegmentKey
from tests.support.clock import Clock


def stream(name: str, segment: int = 0) -> SegmentKey:
    return SegmentKey(SessionKey("default", name), segment)


def scheduler_of(clock: Clock, *names: str) -> SlackScheduler:
    scheduler = SlackScheduler(clock)
    for name in names:
        scheduler.add(stream(name))
    return scheduler


def test_the_stream_with_the_least_slack_goes_first():
    clock = Clock()
    scheduler = scheduler_of(clock, "rich", "poor")
    scheduler.sent(stream("poor"), SAMPLE_RATE)
    scheduler.sent(stream("rich"), 3 * SAMPLE_RATE)
    clock.now += 0.5
    for name in ("rich", "poor"):
        scheduler.ready(stream(name))
    assert scheduler.schedule(1) == [stream("poor")]
    assert scheduler.schedule(8) == [stream("rich")]
    assert scheduler.schedule(8) == []


def test_a_new_stream_starts_once_no_other_is_about_to_starve():
    clock = Clock()
    scheduler = scheduler_of(clock, "playing", "new", "newer")
    scheduler.sent(stream("playing"), SAMPLE_RATE)
    clock.now += 0.5
    for name in ("new", "newer", "playing"):
        scheduler.ready(stream(name))
    assert scheduler.schedule(1) == [stream("playing")]
    scheduler.sent(stream("playing"), round(SAMPLE_RATE * START_MARGIN_S))
    scheduler.ready(stream("playing"))
    assert scheduler.schedule(3) == [stream("new"), stream("newer"), stream("playing")]


def test_segments_of_a_session_share_its_slack():
    clock = Clock()
    scheduler = scheduler_of(clock, "other", "session")
    scheduler.add(stream("session", 1))
    scheduler.sent(stream("session", 0), SAMPLE_RATE)
    scheduler.sent(stream("other"), 2 * SAMPLE_RATE)
    scheduler.remove(stream("session", 0))
    clock.now += 0.9
    for address in (stream("other"), stream("session", 1)):
        scheduler.ready(address)
    assert scheduler.schedule(2) == [stream("session", 1), stream("other")]
    for address in (stream("other"), stream("session", 1)):
        scheduler.remove(address)
    assert scheduler.is_empty


def test_slack_counts_from_the_end_of_a_stall():
    clock = Clock()
    scheduler = scheduler_of(clock, "stalled", "other")
    scheduler.sent(stream("stalled"), SAMPLE_RATE)
    clock.now += 10.0
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


def test_only_cells_that_are_light_enough_join_the_most_urgent():
    names = ("a", "b", "c", "d")
    scheduler = scheduler_of(Clock(), *names)
    for name in names:
        scheduler.ready(stream(name))
    weights = {stream("a"): 120, stream("b"): 40, stream("c"): 50, stream("d"): 20}
    assert scheduler.schedule(8, weights.__getitem__, 100) == [stream("a")]  # the first always
    assert scheduler.schedule(8, weights.__getitem__, 100) == [stream("b"), stream("c")]
    assert scheduler.schedule(8, weights.__getitem__, 100) == [stream("d")]


class FirstComeFirstServed:
    """The policy that SlackScheduler replaces."""

    def __init__(self) -> None:
        self._ready: deque[SegmentKey] = deque()

    def add(self, address: SegmentKey) -> None:
        """Has no state of a stream."""

    remove = add

    def ready(self, address: SegmentKey) -> None:
        self._ready.append(address)

    def schedule(self, limit: int) -> list[SegmentKey]:
        return [self._ready.popleft() for _ in range(min(limit, len(self._ready)))]

    def sent(self, address: SegmentKey, num_samples: int) -> None:
        """Has no state of a stream."""


@dataclass
class Listener:
    """Plays from the first sound on, without a pause."""

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
COST = 1 / 40  # seconds of work per second of sound: the device serves 40 streams at once
LOAD = 0.95


def worst_stall_s(scheduler: SlackScheduler | FirstComeFirstServed, clock: Clock) -> float:
    """Of a thousand callers that come at random at 95 % of capacity. Their tokens are there."""
    rng, began_s = random.Random(4), clock.now
    between_s = sum(CELLS_S) * COST / LOAD
    arrivals = deque(
        sorted((began_s + rng.uniform(0, 1000 * between_s), stream(f"{n}")) for n in range(1000))
    )
    listeners: dict[SegmentKey, Listener] = {}
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


def test_no_stream_stalls_at_95_percent_of_capacity():
    clock = Clock()
    assert worst_stall_s(SlackScheduler(clock), clock) <= 0.1


def test_first_come_first_served_stalls_at_95_percent_of_capacity():
    """The control of the test above."""
    assert worst_stall_s(FirstComeFirstServed(), Clock()) > 0.1


def test_the_most_urgent_ready_cell_is_due_when_its_listener_runs_dry():
    clock = Clock()
    scheduler = scheduler_of(clock, "playing", "rich")
    scheduler.sent(stream("playing"), SAMPLE_RATE)
    scheduler.sent(stream("rich"), 9 * SAMPLE_RATE)
    for name in ("playing", "rich"):
        scheduler.ready(stream(name))
    began_s = clock.now
    assert scheduler.due_s({}) == began_s + 1.0
    clock.now += 1.25
    assert scheduler.due_s({}) == began_s + 1.0
    scheduler.schedule(1)
    assert scheduler.due_s({}) == began_s + 9.0
    scheduler.schedule(1)
    assert scheduler.due_s({}) == inf


def test_a_first_cell_is_due_from_the_moment_it_could_run():
    clock = Clock()
    scheduler = scheduler_of(clock, "ready", "slotless")
    clock.now += 2.0
    scheduler.ready(stream("ready"))
    scheduler.ready(stream("ready"))
    clock.now += 0.5
    assert scheduler.due_s({}) == clock.now - 0.5
    assert scheduler.due_s({stream("slotless"): clock.now - 1.5}) == clock.now - 1.5


def test_a_held_stream_is_not_late_before_its_playback_begins():
    clock = Clock()
    scheduler = scheduler_of(clock)
    held = stream("held")
    scheduler.add(held, is_told=True)
    assert scheduler.sent(held, SAMPLE_RATE // 2) == 0.0
    clock.now += 3.0  # without the hold its listener had run dry 2.5 s ago
    scheduler.ready(held)
    assert scheduler.due_s({}) == clock.now + 0.5
    assert scheduler.sent(held, SAMPLE_RATE) == 0.0
    scheduler.begin(held.key, clock.now + 0.25)  # its player waits a little longer
    assert scheduler.due_s({}) == clock.now + 0.25 + 1.5
    clock.now += 2.0
    assert scheduler.sent(held, SAMPLE_RATE) == 0.25


def test_a_held_stream_has_the_slack_of_the_sound_that_it_has():
    clock = Clock()
    scheduler = scheduler_of(clock, "rich")
    held = stream("held")
    scheduler.add(held, is_told=True)
    scheduler.sent(held, SAMPLE_RATE // 2)
    scheduler.sent(stream("rich"), 2 * SAMPLE_RATE)
    clock.now += 1.0  # rich has 1 s left, and held half a second whatever the time
    for key in (stream("rich"), held):
        scheduler.ready(key)
    assert scheduler.schedule(1) == [held]


def test_the_playback_of_a_stream_that_has_ended_begins_nothing():
    scheduler = scheduler_of(Clock())
    scheduler.begin(stream("gone").key, 1.0)
    assert scheduler.is_empty
