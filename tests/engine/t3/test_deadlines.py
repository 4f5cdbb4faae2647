"""The earliest deadline runs first: simulated over thousands of steps, on a clock of the test."""

import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from math import inf

import pytest

from app.core import TOKENS_PER_S
from app.engine.t3.sequence import Sequence, SequenceState
from tests.support.engine.t3.lone_scheduler import FREE_TOKENS, LoneScheduler, names, sequence

pytestmark = pytest.mark.full  # seconds in all

FIRST_GROUP, GROUP = 4, 12


class Simulation:
    """Sequences that arrive at given times, a device whose steps take as long as the scheduler's
    own model says, and listeners who play delivered tokens at 25 tokens a second."""

    def __init__(self, weights_s: float = 0.01, **settings) -> None:
        self.lone = LoneScheduler(**settings)
        self._settings = self.lone.scheduler._settings
        self._weights_s = weights_s
        self._live: list[Sequence] = []
        self.num_steps = 0
        self.worst_lead_s: dict[Sequence, float] = {}
        self.ran_s: dict[Sequence, float] = {}  # time of its last step
        self.longest_pause_s: dict[Sequence, float] = {}

    def add(self, *sequences: Sequence) -> None:
        self.lone.add(*sequences)
        self._live += sequences
        for one in sequences:
            self.ran_s[one] = self.lone.now_s

    def run_until(self, end_s: float) -> None:
        while self.lone.now_s < end_s and self._live:
            self.step()

    def step(self) -> None:
        lone = self.lone
        chunks = lone.step()
        num_tokens = sum(chunk.num_tokens * chunk.sequence.num_rows for chunk in chunks)
        lone.now_s += self._weights_s * (1 + num_tokens / FREE_TOKENS)
        self.num_steps += 1
        for chunk in chunks:
            one = chunk.sequence
            self._deliver(one)
            pause_s = lone.now_s - self.ran_s[one]
            self.longest_pause_s[one] = max(self.longest_pause_s.get(one, 0.0), pause_s)
            self.ran_s[one] = lone.now_s
        for one in self._live:
            if one.first_sent_s is not None:
                lead_s = one.due_s(self._settings.start_lead_s) - lone.now_s
                self.worst_lead_s[one] = min(self.worst_lead_s.get(one, lead_s), lead_s)
        self._live = [one for one in self._live if one.state is not SequenceState.ENDED]

    def _deliver(self, one: Sequence) -> None:
        num_wanted = GROUP if one.num_sent else FIRST_GROUP
        if one.num_unsent >= num_wanted or one.finish is not None:
            self.lone.scheduler.count_sent(one, one.num_unsent)


def streams(num: int, max_tokens: int = 500) -> list[Sequence]:
    return [sequence(f"{n}", num_rows=1, max_tokens=max_tokens) for n in range(num)]


@contextmanager
def first_come_first_served(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The control: the order is by arrival, whatever the lead."""
    with monkeypatch.context() as patch:
        patch.setattr(Sequence, "due_s", lambda one, _: one.arrived_s)
        yield


def twelve_on_eight_rows() -> tuple[Simulation, list[Sequence]]:
    """A step of eight rows takes 15 ms: 533 tokens a second. Twelve streams need 300."""
    simulation, twelve = Simulation(num_slots=16, max_rows=8), streams(12)
    for one in twelve:
        simulation.add(one)
        simulation.lone.now_s += 1e-3
    return simulation, twelve


def worst_lead_of(simulation: Simulation, sequences: list[Sequence]) -> float:
    return min(simulation.worst_lead_s[one] for one in sequences)


def test_more_streams_than_rows_are_all_smooth():
    simulation, twelve = twelve_on_eight_rows()
    simulation.run_until(1000.0)
    assert simulation.num_steps > 700
    assert all(one.finish is not None for one in twelve)
    assert worst_lead_of(simulation, twelve) > 0


def test_first_come_first_served_starves_the_last_of_the_same_streams(monkeypatch):
    simulation, twelve = twelve_on_eight_rows()
    with first_come_first_served(monkeypatch):
        simulation.run_until(105.0)
    assert all(len(one.tokens) > 300 for one in twelve[:8])
    assert all(len(one.tokens) == 1 for one in twelve[8:])  # a prompt, then no row in 5 s


def test_under_overload_every_stream_ends_in_order_of_arrival():
    """Twice the load that the device can take: all streams are late, and all of them go on."""
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
    first_sent_s = [one.first_sent_s for one in everyone]
    assert first_sent_s == sorted(first_sent_s)


def test_a_stream_pauses_no_longer_than_its_lead(monkeypatch):
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
    assert worst_lead_of(simulation, mixed) > 0


def test_a_step_decodes_at_most_max_rows():
    lone = LoneScheduler(num_slots=8, max_rows=5, prefill_share=10)
    lone.add(*[sequence(f"{n}", num_rows=1 + n % 2, max_tokens=50) for n in range(8)])
    for _ in range(60):
        decoding = [chunk for chunk in lone.step() if chunk.is_decode]
        assert sum(chunk.sequence.num_rows for chunk in decoding) <= 5
        lone.now_s += 0.01


# -- the bound of the lead -------------------------------------------------------------------------


def add_ahead(lone: LoneScheduler, name: str, num_sent: int) -> Sequence:
    """A sequence that decodes, and `num_sent` tokens of it have just left."""
    one = sequence(name, max_tokens=900)
    lone.add(one)
    while one.state is not SequenceState.DECODE:
        lone.step()
    lone.scheduler.count_sent(one, num_sent)
    return one


def test_a_sequence_beyond_max_lead_yields_to_one_within_it():
    lone = LoneScheduler(max_lead_s=2.0, start_lead_s=0.0)
    add_ahead(lone, "far", 10 * TOKENS_PER_S)
    add_ahead(lone, "near", TOKENS_PER_S)
    assert names(lone.step()) == ["near"]
    lone.now_s += 8.0  # the listener has played that long
    assert names(lone.step()) == ["far", "near"]


def test_a_sequence_beyond_max_lead_runs_on_alone():
    lone = LoneScheduler(max_lead_s=2.0)
    add_ahead(lone, "alone", 100 * TOKENS_PER_S)
    assert names(lone.step()) == ["alone"]


def test_all_sequences_run_where_all_are_beyond_max_lead():
    lone = LoneScheduler(max_lead_s=2.0)
    for name in "ab":
        add_ahead(lone, name, 10 * TOKENS_PER_S)
    assert names(lone.step()) == ["a", "b"]


def test_a_sequence_beyond_max_lead_yields_to_a_prompt():
    lone = LoneScheduler(max_lead_s=2.0, prefill_tokens=8)
    add_ahead(lone, "far", 10 * TOKENS_PER_S)
    lone.add(sequence("new"))
    assert [names(lone.step()) for _ in range(3)] == [["new"]] * 3  # 10 positions, 4 per step


def test_a_sequence_beyond_max_lead_runs_beside_a_prompt_that_is_wanted_later():
    lone = LoneScheduler(max_lead_s=2.0, prefill_tokens=8)
    add_ahead(lone, "far", 10 * TOKENS_PER_S)
    lone.add(sequence("later", lead_s=10.0))
    assert names(lone.step()) == ["far", "later"]


def test_no_step_is_empty_while_a_sequence_lives():
    dice = random.Random(2)
    lone = LoneScheduler(num_slots=6, max_rows=4, max_lead_s=1.0, prefill_share=0.25)
    for number in range(400):
        lead_s = dice.choice((0.0, 0.5, 5.0, 50.0))
        num_rows = dice.randint(1, 2)
        num_prefix = dice.choice((0, 4))
        lone.add(sequence(f"{number}", lead_s=lead_s, num_rows=num_rows, num_prefix=num_prefix))
        for _ in range(dice.randint(0, 4)):
            chunks = lone.step()
            assert chunks or not list(lone.scheduler.live())
            for chunk in chunks:
                if chunk.sequence.num_unsent:
                    lone.scheduler.count_sent(chunk.sequence, chunk.sequence.num_unsent)
            lone.now_s += 0.02


# -- deadlines -------------------------------------------------------------------------------------


def sent(num: int, at_s: float) -> Callable[[Sequence], None]:
    def apply(one: Sequence) -> None:
        one.num_sent, one.first_sent_s = num, at_s

    return apply


@pytest.mark.parametrize(
    ("lead_s", "delivered", "due_s"),
    [
        (0.0, None, 100.0),  # due on arrival
        (5.0, None, 105.0),  # earlier sound plays until then
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


def test_a_free_slot_goes_to_the_earliest_deadline():
    lone = LoneScheduler(num_slots=1)
    lone.add(sequence("running", max_tokens=2))
    lone.step()
    lone.add(sequence("later", lead_s=30.0), sequence("now"))
    lone.step()
    assert names(lone.step()) == ["now"]


def test_the_most_urgent_sequence_is_due_when_its_listener_runs_dry():
    lone = LoneScheduler(num_slots=1, start_lead_s=0.25)
    assert lone.scheduler.due_s() == inf
    arrived_s = lone.now_s
    lone.add(sequence("runs", num_rows=1, max_tokens=50))
    lone.now_s += 0.5
    (chunk,) = lone.step()
    assert lone.scheduler.due_s() == arrived_s
    lone.scheduler.count_sent(chunk.sequence, 25)
    assert lone.scheduler.due_s() == lone.now_s + 0.25 + 1.0
    lone.add(sequence("waits", lead_s=1.0))
    assert lone.scheduler.due_s() == lone.now_s + 1.0
    lone.scheduler.fail()
    assert lone.scheduler.due_s() == inf
