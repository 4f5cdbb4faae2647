"""How far T3 may be ahead of a listener: the real engine on a clock of the test, token by token."""

from dataclasses import replace
from math import inf

import pytest

from app.core import TOKENS_PER_S, SamplingParams
from app.engine.t3.engine import TokenEngine
from app.engine.t3.model import T3Model
from tests.support.clock import Clock
from tests.support.engine.t3 import models
from tests.support.engine.t3.models import our_t3, request, run_to_end, send, session, settings

pytestmark = pytest.mark.full  # seconds in all

LEAD_S = 4.0
START_LEAD_S = 0.3  # T3's estimate of the time from its first tokens to their sound
STEP_S = 0.005


@pytest.fixture(scope="module")
def english() -> T3Model:
    return our_t3(models.upstream_t3(models.ENGLISH), models.ENGLISH)


def listened(name, num_tokens=500, speed=1.0, lead_s=0.0, most_ahead_s=LEAD_S):
    one = request(name, SamplingParams(max_tokens=num_tokens, ignore_eos=True))
    per_s = TOKENS_PER_S * speed
    return replace(one, lead_s=lead_s, heard_per_s=per_s, most_ahead_s=most_ahead_s)


def whole_file(name, num_tokens=500):
    return listened(name, num_tokens, most_ahead_s=inf)


class Listening:
    """An engine whose steps take STEP_S, and what it has made of each session."""

    def __init__(self, model, fast=False, **changes):
        self.clock = Clock()
        self.engine = TokenEngine(
            model, settings(**changes), fast=fast, on_step=self._note, clock=self.clock
        )
        self.num_made = {}
        self.num_steps = 0
        self.first_s = {}  # when the first tokens left

    def _note(self, sequences):
        self.num_steps += 1
        for sequence in sequences:
            self.num_made[sequence.key] = sequence.num_drawn

    def run_until(self, end_s, watch=lambda: None):
        """As EngineLoop does: steps while there is something to do, and sleeps while all rest."""
        while self.clock.now < end_s and self.engine.has_work():
            pause_s = self.engine.pause_s()
            if pause_s:
                self.clock.now += min(pause_s, end_s - self.clock.now)
                continue
            for group in self.engine.step():
                self.first_s.setdefault(group.key, self.clock.now)
            self.engine.check_integrity()
            watch()
            self.clock.now += STEP_S

    def ahead_s(self, key, speed=1.0):
        """Of the playback that begins START_LEAD_S after the first tokens."""
        played_s = self.clock.now - self.first_s.get(key, self.clock.now) - START_LEAD_S
        return self.num_made.get(key, 0) / TOKENS_PER_S / speed - played_s


@pytest.mark.parametrize("fast", [False, True], ids=["plain", "fast"])
def test_a_lone_sequence_rests_when_it_is_as_far_ahead_as_it_may_be(english, fast):
    listening = Listening(english, fast)
    send(listening.engine, listened("a"))
    listening.run_until(100.0 + 2.0)
    taken_s = listening.clock.now - listening.first_s[session("a")]
    most = (LEAD_S + taken_s - START_LEAD_S) * TOKENS_PER_S
    made = listening.num_made[session("a")]
    assert most - 13 - 1 <= made <= most + 1  # it runs on by groups of 13
    assert made < 150  # of 500


@pytest.mark.parametrize("speed", [0.25, 1.0, 2.0])
def test_no_token_is_made_further_ahead_than_the_bound_in_the_listeners_seconds(english, speed):
    listening = Listening(english)
    send(listening.engine, listened("a", num_tokens=120, speed=speed))
    ahead_s = []
    listening.run_until(200.0, lambda: ahead_s.append(listening.ahead_s(session("a"), speed)))
    assert listening.num_made[session("a")] == 120
    one_token_s = 1 / TOKENS_PER_S / speed
    assert max(ahead_s) <= LEAD_S + one_token_s
    if speed <= 1:  # 120 tokens at double speed are less than the bound
        assert max(ahead_s) > LEAD_S - one_token_s


def test_without_the_bound_the_lead_has_none(english):
    listening = Listening(english)
    send(listening.engine, whole_file("a", num_tokens=300))
    listening.run_until(100.0 + 300 * STEP_S)
    assert listening.ahead_s(session("a")) > 2 * LEAD_S


def test_a_segment_that_is_due_later_counts_the_sound_before_it(english):
    listening = Listening(english)
    send(listening.engine, listened("a", lead_s=3.0))
    listening.run_until(100.5)
    assert listening.num_made[session("a")] / TOKENS_PER_S <= LEAD_S - 3.0 + 0.5 + 1 / TOKENS_PER_S


def test_a_whole_file_runs_in_every_step_beside_sequences_that_rest(english):
    listening = Listening(english, slots=4, max_lead_s=LEAD_S / 2)
    send(listening.engine, *(listened(name, num_tokens=200) for name in "abc"), whole_file("file"))
    listening.run_until(100.0 + 150 * STEP_S)  # past the prompts, and all others rest
    before = listening.num_made[session("file")]
    listening.run_until(listening.clock.now + 150 * STEP_S)
    assert listening.num_made[session("file")] >= before + 149
    assert all(listening.num_made[session(name)] < 150 for name in "abc")


def test_sequences_that_rest_run_side_by_side_again(english):
    """Each alone would take a step for each of its tokens."""
    listening = Listening(english, slots=4)
    for name in "abcd":  # out of step with one another
        send(listening.engine, listened(name))
        listening.run_until(listening.clock.now + 0.11)
    listening.run_until(106.0)
    steps, made = listening.num_steps, sum(listening.num_made.values())
    listening.run_until(112.0)
    num_tokens = sum(listening.num_made.values()) - made
    assert num_tokens == pytest.approx(4 * 6 * TOKENS_PER_S, abs=4 * 13)
    assert listening.num_steps - steps < num_tokens / 3


def test_a_sequence_that_rests_is_cancelled_at_once(english):
    listening = Listening(english, slots=1)
    send(listening.engine, listened("a"), listened("waits"))
    listening.run_until(101.5)
    assert listening.engine.pause_s() > 0
    assert listening.engine.cancel(session("a"), None).live
    assert listening.engine.pause_s() == 0
    listening.run_until(102.0)
    assert listening.num_made[session("waits")] > 0


def test_a_rest_changes_no_token(english):
    alone = TokenEngine(english, settings())
    send(alone, whole_file("a", num_tokens=150))
    expected = run_to_end(alone).ids
    listening = Listening(english)
    send(listening.engine, listened("a", num_tokens=150))
    recorded = models.Recorded()
    while listening.engine.has_work():
        listening.clock.now += listening.engine.pause_s() or STEP_S
        recorded.add(listening.engine.step())
    assert recorded.ids == expected
