"""Who is due first runs first: simulated, thousands of steps on a clock of our own."""

import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from app.core import TOKENS_PER_S
from app.engine.t3.sequence import Sequence, SequenceState
from tests.support.engine.t3.desk import FREE_TOKENS, Desk, names, sequence

FIRST_GROUP, GROUP = 4, 12


class Simulation:
    """Sequences that come at given times, a device whose steps take as long as the scheduler's own
    model says, and listeners who play what has left at 25 tokens a second."""

    def __init__(self, weights_s: float = 0.01, **settings) -> None:
        self.desk = Desk(**settings)
        self._settings = self.desk.scheduler._settings
        self._weights_s = weights_s
        self._live: list[Sequence] = []
        self.num_steps = 0
        self.worst_lead_s: dict[Sequence, float] = {}
        self.ran_s: dict[Sequence, float] = {}  # when it was last part of a step
        self.longest_pause_s: dict[Sequence, float] = {}

    def add(self, *sequences: Sequence) -> None:
        self.desk.add(*sequences)
        self._live += sequences
        for one in sequences:
            self.ran_s[one] = self.desk.now_s

    def run_until(self, end_s: float) -> None:
        while self.desk.now_s < end_s and self._live:
            self.step()

    def step(self) -> None:
        desk = self.desk
        work = desk.step()
        num_tokens = sum(item.num_tokens * item.sequence.num_rows for item in work)
        desk.now_s += self._weights_s * (1 + num_tokens / FREE_TOKENS)
        self.num_steps += 1
        for item in work:
            self._deliver(item.sequence)
            self._note(self.longest_pause_s, item.sequence, desk.now_s - self.ran_s[item.sequence])
            self.ran_s[item.sequence] = desk.now_s
        for one in self._live:
            if one.first_sent_s is not None:
                lead_s = one.due_s(self._settings.start_lead_s) - desk.now_s
                self.worst_lead_s[one] = min(self.worst_lead_s.get(one, lead_s), lead_s)
        self._live = [one for one in self._live if one.state is not SequenceState.ENDED]

    def _deliver(self, one: Sequence) -> None:
        wanted = GROUP if one.num_sent else FIRST_GROUP
        if one.num_unsent >= wanted or one.finish is not None:
            self.desk.scheduler.sent(one, one.num_unsent)

    @staticmethod
    def _note(most: dict[Sequence, float], one: Sequence, value: float) -> None:
        most[one] = max(most.get(one, 0.0), value)


def streams(num: int, max_tokens: int = 500) -> list[Sequence]:
    return [sequence(f"{n}", num_rows=1, max_tokens=max_tokens) for n in range(num)]


@contextmanager
def first_come_first_served(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The control: who came first runs first, however far ahead."""
    with monkeypatch.context() as patch:
        patch.setattr(Sequence, "due_s", lambda one, _: one.arrived_s)
        yield


def twelve_on_eight_rows() -> tuple[Simulation, list[Sequence]]:
    """A step of eight rows takes 15 ms: 533 tokens a second, where twelve streams need 300."""
    simulation, twelve = Simulation(num_slots=16, max_rows=8), streams(12)
    for one in twelve:
        simulation.add(one)
        simulation.desk.now_s += 1e-3
    return simulation, twelve


def worst_of(simulation: Simulation, sequences: list[Sequence]) -> float:
    """The real lead, however the scheduler ordered."""
    return min(simulation.worst_lead_s[one] for one in sequences)


def test_more_streams_than_rows_are_all_smooth():
    simulation, twelve = twelve_on_eight_rows()
    simulation.run_until(1000.0)
    assert simulation.num_steps > 700
    assert all(one.finish is not None for one in twelve)
    assert worst_of(simulation, twelve) > 0


def test_first_come_first_served_lets_the_same_streams_starve(monkeypatch):
    simulation, twelve = twelve_on_eight_rows()
    with first_come_first_served(monkeypatch):
        simulation.run_until(105.0)
    last = twelve[8:]
    assert all(len(one.tokens) == 500 or len(one.tokens) > 300 for one in twelve[:8])
    assert all(len(one.tokens) == 1 for one in last)  # a prompt, then not one row in 5 s


def test_under_overload_every_stream_goes_on():
    """Twice what the device can: all are late, none is left."""
    simulation = Simulation(num_slots=64, max_rows=8)
    everyone: list[Sequence] = []
    for second in range(60):
        newcomers = streams(4, max_tokens=250)
        everyone += newcomers
        simulation.add(*newcomers)
        simulation.run_until(100.0 + second + 1)
    simulation.run_until(10_000.0)
    assert simulation.num_steps > 5000
    assert all(one.finish is not None for one in everyone)
    assert min(simulation.worst_lead_s.values()) < -1  # it was an overload
    heard_s = [one.first_sent_s for one in everyone]
    assert heard_s == sorted(heard_s)  # nobody who came later was heard earlier


def test_a_pause_is_bounded_by_how_far_ahead_one_may_run(monkeypatch):
    """A stream that is paused was ahead, by no more than the bound; it is back before it is due."""
    simulation, _ = twelve_on_eight_rows()
    simulation.run_until(1000.0)
    assert max(simulation.longest_pause_s.values()) < 1.0
    control, _ = twelve_on_eight_rows()
    with first_come_first_served(monkeypatch):
        control.run_until(1000.0)
    assert max(control.longest_pause_s.values()) > 5.0


def test_pairs_and_single_rows_compete_by_their_deadlines_alone():
    simulation = Simulation(num_slots=16, max_rows=7)
    mixed = [sequence(f"{n}", num_rows=1 + n % 2, max_tokens=250) for n in range(9)]
    simulation.add(*mixed)
    simulation.run_until(1000.0)
    assert all(one.finish is not None for one in mixed)
    assert worst_of(simulation, mixed) > 0


def test_a_step_has_no_more_rows_than_it_may():
    desk = Desk(num_slots=8, max_rows=5, prefill_share=10)
    desk.add(*[sequence(f"{n}", num_rows=1 + n % 2, max_tokens=50) for n in range(8)])
    for _ in range(60):
        work = desk.step()
        decoding = [item for item in work if item.start >= 10]
        assert sum(item.sequence.num_rows for item in decoding) <= 5
        desk.now_s += 0.01


# -- the bound of the lead -------------------------------------------------------------------------


def ahead(desk: Desk, name: str, num_sent: int) -> Sequence:
    """A sequence that decodes, of which so many tokens have just left."""
    one = sequence(name, max_tokens=900)
    desk.add(one)
    while one.state is not SequenceState.DECODE:
        desk.step()
    desk.scheduler.sent(one, num_sent)
    return one


def test_who_is_beyond_the_bound_yields_to_who_is_not():
    desk = Desk(max_lead_s=2.0, start_lead_s=0.0)
    ahead(desk, "far", 10 * TOKENS_PER_S)
    ahead(desk, "near", TOKENS_PER_S)
    assert names(desk.step()) == ["near"]
    desk.now_s += 8.0  # what it had has been played
    assert names(desk.step()) == ["far", "near"]


def test_who_is_alone_runs_on_however_far_ahead():
    desk = Desk(max_lead_s=2.0)
    one = ahead(desk, "alone", 100 * TOKENS_PER_S)
    assert names(desk.step()) == ["alone"]
    assert one.num_sent / TOKENS_PER_S == 100


def test_where_all_are_beyond_the_bound_all_run():
    desk = Desk(max_lead_s=2.0)
    for name in "ab":
        ahead(desk, name, 10 * TOKENS_PER_S)
    assert names(desk.step()) == ["a", "b"]


def test_who_is_beyond_the_bound_yields_to_a_prompt():
    desk = Desk(max_lead_s=2.0, prefill_tokens=8)
    ahead(desk, "far", 10 * TOKENS_PER_S)
    desk.add(sequence("new"))
    assert [names(desk.step()) for _ in range(3)] == [["new"]] * 3  # 10 positions, 4 a step


def test_who_is_beyond_the_bound_does_not_yield_to_a_prompt_that_is_wanted_later_still():
    desk = Desk(max_lead_s=2.0, prefill_tokens=8)
    ahead(desk, "far", 10 * TOKENS_PER_S)
    desk.add(sequence("later", lead_s=10.0))
    assert names(desk.step()) == ["far", "later"]


def test_the_bound_never_leaves_a_step_empty():
    """Whatever is due when: if something lives, something runs."""
    dice = random.Random(2)
    desk = Desk(num_slots=6, max_rows=4, max_lead_s=1.0, prefill_share=0.25)
    for number in range(400):
        lead_s = dice.choice((0.0, 0.5, 5.0, 50.0))
        num_rows = dice.randint(1, 2)
        voice = dice.choice((0, 4))
        desk.add(sequence(f"{number}", lead_s=lead_s, num_rows=num_rows, num_prefix=voice))
        for _ in range(dice.randint(0, 4)):
            work = desk.step()
            assert work or not list(desk.scheduler.live())
            for item in work:
                if item.sequence.num_unsent:
                    desk.scheduler.sent(item.sequence, item.sequence.num_unsent)
            desk.now_s += 0.02


# -- who is due when -------------------------------------------------------------------------------


def sent(num: int, at_s: float) -> Callable[[Sequence], None]:
    def apply(one: Sequence) -> None:
        one.num_sent, one.first_sent_s = num, at_s

    return apply


@pytest.mark.parametrize(
    ("lead_s", "delivered", "due_s"),
    [
        (0.0, None, 100.0),  # due when it came
        (5.0, None, 105.0),  # something else plays until then
        (0.0, sent(50, 101.0), 101.0 + 0.3 + 2.0),
        (5.0, sent(50, 101.0), 105.0 + 2.0),  # delivered long before it is wanted
        (0.5, sent(50, 101.0), 101.0 + 0.3 + 2.0),  # delivered late
    ],
)
def test_a_sequence_is_due_when_its_listener_runs_out_of_sound(lead_s, delivered, due_s):
    one = sequence("a", lead_s=lead_s)
    one.arrived_s = 100.0
    if delivered is not None:
        delivered(one)
    assert one.due_s(0.3) == pytest.approx(due_s)


def test_the_slots_go_to_who_is_due_first():
    desk = Desk(num_slots=1)
    desk.add(sequence("running", max_tokens=2))
    desk.step()
    desk.add(sequence("later", lead_s=30.0), sequence("now"))
    desk.step()
    assert names(desk.step()) == ["now"]


def test_late_is_what_the_most_urgent_sequence_has_waited_past_its_time():
    desk = Desk(num_slots=1, start_lead_s=0.25)
    assert desk.scheduler.late_s() == 0.0
    desk.add(sequence("runs", num_rows=1, max_tokens=50))
    desk.now_s += 0.5
    (work,) = desk.step()
    assert desk.scheduler.late_s() == 0.5
    desk.scheduler.sent(work.sequence, 25)
    desk.step()
    assert desk.scheduler.late_s() == 0.0
    desk.add(sequence("waits", lead_s=1.0))
    desk.now_s += 3.0
    assert desk.scheduler.late_s() == 2.0
    desk.scheduler.fail()
    assert desk.scheduler.late_s() == 0.0
