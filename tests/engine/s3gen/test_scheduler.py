"""The scheduler against a simulated clock. A cell is a number of seconds."""

import random
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from math import inf

import pytest

from app.core import SAMPLE_RATE, Cost, SessionKey
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


def test_sound_made_ahead_of_an_open_segment_is_no_slack():
    """The listener cannot play it before the segment that is still open."""
    clock = Clock()
    scheduler = scheduler_of(clock, "other", "ahead")
    scheduler.add(stream("ahead", 1))
    scheduler.sent(stream("other"), 2 * SAMPLE_RATE)
    scheduler.sent(stream("ahead", 0), SAMPLE_RATE)
    assert scheduler.sent(stream("ahead", 1), 4 * SAMPLE_RATE) == 0.0
    clock.now += 0.5
    for key in (stream("other"), stream("ahead", 0)):
        scheduler.ready(key)
    assert scheduler.due_s({}) == clock.now + 0.5
    assert scheduler.schedule(2) == [stream("ahead", 0), stream("other")]


def test_sound_made_ahead_is_slack_once_the_segment_before_it_is_complete():
    clock = Clock()
    scheduler = scheduler_of(clock, "session")
    scheduler.add(stream("session", 1))
    scheduler.sent(stream("session", 0), SAMPLE_RATE)
    scheduler.sent(stream("session", 1), 2 * SAMPLE_RATE)
    clock.now += 1.5  # dry since half a second
    scheduler.remove(stream("session", 0))
    scheduler.ready(stream("session", 1))
    assert scheduler.due_s({}) == clock.now + 2.0
    clock.now += 2.25
    assert scheduler.sent(stream("session", 1), SAMPLE_RATE) == 0.25


def test_a_listener_who_ran_dry_before_the_segment_is_complete_is_told_late():
    clock = Clock()
    scheduler = scheduler_of(clock, "session")
    scheduler.add(stream("session", 1))
    scheduler.sent(stream("session", 0), SAMPLE_RATE)
    scheduler.sent(stream("session", 1), SAMPLE_RATE)
    clock.now += 1.5
    assert scheduler.sent(stream("session", 0), SAMPLE_RATE) == 0.5


def test_no_cell_goes_before_one_that_its_listener_needs_first():
    """Not one of the same session, and not one of a session that is less urgent."""
    clock = Clock()
    scheduler = scheduler_of(clock, "rich", "poor")
    scheduler.add(stream("poor", 1))
    scheduler.sent(stream("poor", 0), SAMPLE_RATE)
    scheduler.sent(stream("rich"), 4 * SAMPLE_RATE)
    for key in (stream("poor", 1), stream("rich"), stream("poor", 0)):
        scheduler.ready(key)
    expected = [stream("poor", 0), stream("rich"), stream("poor", 1)]
    assert [scheduler.schedule(1) for _ in range(3)] == [[key] for key in expected]


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


# -- what runs together, by its cost -------------------------------------------------------------

# Of a cell of the embedded model on an AVX-512 machine (2026-11): two short ones in one call cost
# 1.6 times one. On a GPU one more costs nothing.
CPU, GPU = Cost(0.030, 0.003), Cost(0.020, 0.0)
SHORT, LONG = 13, 52


def with_ready(clock: Clock, weights: Mapping[str, int], num_sessions: int) -> SlackScheduler:
    names = [*weights, *(f"idle {n}" for n in range(num_sessions - len(weights)))]
    scheduler = scheduler_of(clock, *names)
    for name in weights:
        scheduler.came(stream(name))
        scheduler.ready(stream(name))
    return scheduler


@pytest.mark.parametrize(
    ("cost", "size", "num_sessions", "expected"),
    [
        (CPU, SHORT, 2, 1),  # the second waits less than the first would
        (CPU, SHORT, 4, 2),
        (CPU, SHORT, 16, 7),
        (CPU, LONG, 4, 1),  # a call of two takes as long as two calls
        (CPU, LONG, 16, 3),
        (GPU, LONG, 2, 2),
        (GPU, LONG, 8, 8),
        (None, LONG, 8, 8),
    ],
)
def test_more_cells_share_a_call_the_more_sessions_would_wait_for_their_own_calls(
    cost, size, num_sessions, expected
):
    weights = {f"{n}": size for n in range(min(num_sessions, 8))}
    scheduler = with_ready(Clock(), weights, num_sessions)
    taken = scheduler.schedule(8, lambda _: size, 1000, cost)
    assert [key.key.session_id for key in taken] == list(weights)[:expected]


def test_a_cell_shares_no_call_with_much_longer_ones():
    """It would be computed to their length."""
    weights = {"long": LONG, "short": SHORT, "as long": LONG - 2}
    scheduler = with_ready(Clock(), weights, 16)
    call = partial(scheduler.schedule, 8, lambda key: weights[key.key.session_id], 1000, CPU)
    assert call() == [stream("long"), stream("as long")]
    assert call() == [stream("short")]


def two_callers(clock: Clock, apart_s: float, num_sessions: int = 2) -> SlackScheduler:
    """The first one's cell is ready 0.1 s after its first tokens; the second's came later."""
    scheduler = with_ready(clock, {}, num_sessions - 2)
    for name in ("first", "second"):
        scheduler.add(stream(name))
    scheduler.came(stream("first"))
    clock.now += apart_s
    scheduler.came(stream("second"))
    clock.now += 0.1 - apart_s
    scheduler.ready(stream("first"))
    return scheduler


def short(_: SegmentKey) -> int:
    return SHORT


@pytest.mark.parametrize(("cost", "num_sessions"), [(GPU, 2), (CPU, 4)])
def test_a_first_cell_waits_for_one_that_is_almost_there(cost, num_sessions):
    clock = Clock()
    scheduler = two_callers(clock, 0.01, num_sessions)
    assert scheduler.pause_s(8, short, cost) == pytest.approx(cost.base_s)
    assert scheduler.schedule(8, short, 100, cost) == []
    clock.now += 0.01
    scheduler.ready(stream("second"))
    assert scheduler.pause_s(8, short, cost) == 0
    assert scheduler.schedule(8, short, 100, cost) == [stream("first"), stream("second")]


def test_it_waits_no_longer_than_a_call_saves():
    clock = Clock()
    scheduler = two_callers(clock, 0.01)
    clock.now += GPU.base_s
    assert scheduler.schedule(8, short, 100, GPU) == [stream("first")]


@pytest.mark.parametrize(
    ("cost", "limit", "apart_s"),
    [
        (None, 8, 0.01),  # not measured
        (GPU, 1, 0.01),  # cells run one at a time
        (GPU, 8, 0.05),  # the other one is too far away
        (CPU, 8, 0.01),  # two calls are heard sooner
    ],
)
def test_a_first_cell_does_not_wait_in_vain(cost, limit, apart_s):
    scheduler = two_callers(Clock(), apart_s)
    assert scheduler.pause_s(limit, short, cost) == 0
    assert scheduler.schedule(limit, short, 100, cost) == [stream("first")]


def test_no_cell_waits_beside_one_of_a_stream_that_plays():
    clock = Clock()
    scheduler = two_callers(clock, 0.01)
    scheduler.add(stream("playing"))
    scheduler.sent(stream("playing"), SAMPLE_RATE)
    scheduler.ready(stream("playing"))
    assert scheduler.pause_s(8, short, GPU) == 0


def test_nothing_waits_for_a_segment_whose_tokens_stopped_coming():
    clock = Clock()
    scheduler = scheduler_of(clock, "stopped", "first")
    scheduler.came(stream("stopped"))
    clock.now += 1.0
    scheduler.came(stream("first"))
    scheduler.ready(stream("first"))
    assert scheduler.schedule(8, short, 100, GPU) == [stream("first")]


def test_nothing_waits_for_a_segment_that_has_ended():
    scheduler = two_callers(Clock(), 0.01)
    scheduler.remove(stream("second"))
    assert scheduler.schedule(8, short, 100, GPU) == [stream("first")]


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
