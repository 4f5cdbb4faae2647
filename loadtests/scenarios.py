"""One action of each kind of caller; a caller repeats its action. Each caller has a seeded random
generator of its own.

The actions block. They run in threads, or in greenlets that replace threads. Knows nothing about
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
from loadtests.session import PlannedRequest, Stop
from loadtests.shapes import sleep_until
from loadtests.speech import speak
from loadtests.texts import draw_text

BARGE_IN_SHARE = 0.05
BARGE_IN_WITHIN_S = 2.0  # after the first audio
STORM_WITHIN_S = 1.5  # after the sending
HUNG_UP_SHARE = 0.5
PAUSE_S = 0.2  # between the requests of callers other than conversations


@dataclass(slots=True)
class CallerState:
    bench: Bench
    name: str
    rng: random.Random
    due_s: float = field(default_factory=time.monotonic)  # of the next request
    leaves: bool = False  # the server has nothing for this caller

    def act(self, action: "Callable[[CallerState, float], None]") -> None:
        """Runs `action` when the next request is due, unless the run is over by then."""
        sleep_until(min(self.due_s, self.bench.over_s))
        if not self.bench.is_over:
            action(self, self.due_s)

    def schedule_next(self, at_s: float, pause_s: float) -> None:
        """The next request is due a pause after `at_s`, but not in the past."""
        self.due_s = max(at_s + pause_s, time.monotonic())


def new_caller(bench: Bench, role: str) -> CallerState:
    number = bench.number(role)
    rng = random.Random(f"{bench.settings.seed} {role} {number}")
    first_s = time.monotonic() + rng.uniform(0, bench.settings.think_s)  # not all at once
    return CallerState(bench, f"{role} {number}", rng, first_s)


def take_a_turn(caller: CallerState, due_s: float) -> None:
    """Requests speech, listens to its end or barges in, then thinks."""
    stop = None
    text = draw_text(caller.rng)
    if caller.rng.random() < BARGE_IN_SHARE:
        stop = Stop("call", caller.rng.uniform(0, BARGE_IN_WITHIN_S), "first_audio")
    request = PlannedRequest(Kind.TURN, caller.name, text, due_s, stop)
    record, over_s = speak(caller.bench, request)
    silent_s = record.done_s if record.cancelled_s is not None else over_s
    think_s = caller.rng.uniform(0.5, 1.5) * caller.bench.settings.think_s
    # The caller does not listen beyond the end of the run.
    caller.schedule_next(min(silent_s, time.monotonic() + caller.bench.left_s()), think_s)


def hear_a_stream(caller: CallerState, due_s: float) -> None:
    """Listens to a stream to its end."""
    request = PlannedRequest(Kind.STREAM, caller.name, draw_text(caller.rng), due_s)
    _, over_s = speak(caller.bench, request)
    caller.schedule_next(min(over_s, time.monotonic() + caller.bench.left_s()), PAUSE_S)


def fetch_a_file(caller: CallerState, due_s: float) -> None:
    request = PlannedRequest(Kind.WHOLE, caller.name, draw_text(caller.rng), due_s)
    record, _ = speak(caller.bench, request)
    caller.schedule_next(record.done_s, PAUSE_S)


def storm(caller: CallerState, due_s: float) -> None:
    """Opens a stream and stops it at a random moment, by a cancel call or by closing the
    connection."""
    closes = caller.rng.random() < HUNG_UP_SHARE
    after_s = caller.rng.uniform(0.01, STORM_WITHIN_S)
    stop = Stop("hang_up" if closes else "call", after_s)
    request = PlannedRequest(Kind.STORM, caller.name, draw_text(caller.rng), due_s, stop)
    speak(caller.bench, request)
    caller.schedule_next(time.monotonic(), 0.0)


def enrol(caller: CallerState, due_s: float) -> None:
    """Makes a voice, speaks with it and deletes it. Leaves if the server makes no voices."""
    voice = add_voice(caller.bench, caller.name, caller.rng, due_s)
    if voice is None:
        caller.leaves = True
        return
    request = PlannedRequest(
        Kind.STREAM, caller.name, "This is my own voice.", time.monotonic(), voice=voice
    )
    speak(caller.bench, request)
    delete_voice(caller.bench, caller.name, voice)
    caller.schedule_next(time.monotonic(), caller.bench.settings.think_s)


def attack(caller: CallerState, due_s: float) -> None:
    """Sends a random hostile request."""
    caller.rng.choice(ATTACKS).launch(caller.bench, caller.name, due_s)
    caller.schedule_next(time.monotonic(), PAUSE_S)


def speak_when_due(bench: Bench, number: int, intended_s: float) -> None:
    """Sends one request of an open loop."""
    rng = random.Random(f"{bench.settings.seed} arrival {number}")
    with bench.run_log.calling():
        name, text = f"arrival {number}", draw_text(rng)
        speak(bench, PlannedRequest(Kind.STREAM, name, text, intended_s))
