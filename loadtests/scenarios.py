"""What each kind of caller does once, over and over. Each draws by its own seeded chance.

Blocks; works with threads, and with greenlets where they stand for threads. Knows nothing about
Locust.
"""

import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from loadtests.bench import Bench
from loadtests.enrolment import add_voice, delete_voice
from loadtests.hostile import ATTACKS
from loadtests.records import Kind
from loadtests.session import Order, Stop, speak
from loadtests.shapes import sleep_until
from loadtests.texts import text_drawn

BARGE_IN_SHARE = 0.05
BARGE_IN_WITHIN_S = 2.0  # of the first sound
STORM_WITHIN_S = 1.5  # of sending
HUNG_UP_SHARE = 0.5
BREATH_S = 0.2  # between the requests of those who do not converse


@dataclass(slots=True)
class Caller:
    bench: Bench
    name: str
    chance: random.Random
    due_s: float = field(default_factory=time.monotonic)  # the next request
    leaves: bool = False  # there is nothing here for it

    def act(self, what: "Callable[[Caller, float], None]") -> None:
        """Once the next request is due, and if the run is not over by then."""
        sleep_until(min(self.due_s, self.bench.over_s))
        if not self.bench.is_over:
            what(self, self.due_s)

    def ready(self, at_s: float, pause_s: float) -> None:
        """For the next request, a pause after `at_s`. What went on longer delays it."""
        self.due_s = max(at_s + pause_s, time.monotonic())


def caller(bench: Bench, role: str) -> Caller:
    number = bench.number(role)
    chance = random.Random(f"{bench.settings.seed} {role} {number}")
    first_s = time.monotonic() + chance.uniform(0, bench.settings.think_s)  # not all at once
    return Caller(bench, f"{role} {number}", chance, first_s)


def take_a_turn(who: Caller, due_s: float) -> None:
    """Ask, hear the answer out or barge in, think."""
    stop = None
    text = text_drawn(who.chance)
    if who.chance.random() < BARGE_IN_SHARE:
        stop = Stop("call", who.chance.uniform(0, BARGE_IN_WITHIN_S), "first_audio")
    order = Order(Kind.TURN, who.name, text, due_s, stop)
    record, over_s = speak(who.bench, order)
    silent_s = record.done_s if record.cancelled_s is not None else over_s
    think_s = who.chance.uniform(0.5, 1.5) * who.bench.settings.think_s
    # Where the run is over before the playback, nobody hears it out.
    who.ready(min(silent_s, time.monotonic() + who.bench.left_s()), think_s)


def hear_a_stream(who: Caller, due_s: float) -> None:
    """A text that is read aloud, and the next when it has been played."""
    order = Order(Kind.STREAM, who.name, text_drawn(who.chance), due_s)
    _, over_s = speak(who.bench, order)
    who.ready(min(over_s, time.monotonic() + who.bench.left_s()), BREATH_S)


def fetch_a_file(who: Caller, due_s: float) -> None:
    order = Order(Kind.WHOLE, who.name, text_drawn(who.chance), due_s)
    record, _ = speak(who.bench, order)
    who.ready(record.done_s, BREATH_S)


def storm(who: Caller, due_s: float) -> None:
    """Open a stream and stop it at a random moment, by a call or by hanging up."""
    is_hanging_up = who.chance.random() < HUNG_UP_SHARE
    after_s = who.chance.uniform(0.01, STORM_WITHIN_S)
    stop = Stop("hang_up" if is_hanging_up else "call", after_s)
    order = Order(Kind.STORM, who.name, text_drawn(who.chance), due_s, stop)
    speak(who.bench, order)
    who.ready(time.monotonic(), 0.0)


def enrol(who: Caller, due_s: float) -> None:
    """Make a voice, speak with it, delete it; nothing more where this server makes no voices."""
    voice = add_voice(who.bench, who.name, who.chance, due_s)
    if voice is None:
        who.leaves = True
        return
    order = Order(Kind.STREAM, who.name, "This is my own voice.", time.monotonic(), voice=voice)
    speak(who.bench, order)
    delete_voice(who.bench, who.name, voice)
    who.ready(time.monotonic(), who.bench.settings.think_s)


def attack(who: Caller, due_s: float) -> None:
    """One of the hostile requests."""
    who.chance.choice(ATTACKS).launch(who.bench, who.name, due_s)
    who.ready(time.monotonic(), BREATH_S)


def speak_when_due(bench: Bench, number: int, intended_s: float) -> None:
    """One request of an open loop."""
    chance = random.Random(f"{bench.settings.seed} arrival {number}")
    with bench.run_log.calling():
        speak(bench, Order(Kind.STREAM, f"arrival {number}", text_drawn(chance), intended_s))
