"""An engine is warm before it takes a session, knows its speed, and holds nothing of its warm-up.

The clock of these engines moves by what a hook says that a call costs, and by nothing else.
"""

from collections.abc import Sequence as Seq
from types import SimpleNamespace
from typing import Any, NamedTuple

import pytest
import torch

from app.config import VocoderSettings
from app.core import Cost, SamplingParams, VoiceRef
from app.engine.checkpoint.source import open_checkpoint
from app.engine.s3gen.call_stage import CallStage
from app.engine.s3gen.grid import Grid
from app.engine.s3gen.ladders import LADDERS, cells_of, choose
from app.engine.s3gen.warmup import NUM_RUNS, warm_vocoder
from app.engine.t3.engine import TokenEngine
from app.engine.t3.model import T3Model
from app.engine.t3.sequence import Sequence, SequenceRequest
from app.engine.t3.warmup import MOST_SEQUENCES, NUM_PROMPTS, NUM_STEPS, warm_t3
from app.engine.voices.provider import VoiceProvider
from app.engine.warmup import MEASURE_S, WARMUP_KEY
from app.sessions.recurrence import arrivals_s, held_back_s, played_s, prebuffer_s
from app.t3_settings import T3Settings
from tests.support.clock import Clock
from tests.support.engine.checkpoint.tiny import TINY_MEANFLOW
from tests.support.engine.s3gen.voicing import begin, drain, engine_of, session
from tests.support.engine.s3gen.voicing import voice as conditionals
from tests.support.simulated_stream import Machine, is_dry, simulate

pytestmark = pytest.mark.full
CPU = torch.device("cpu")
HALO = VocoderSettings().halo_frames
FACTORS = [0.5, 1.0, 2.0, 4.0]  # how much slower the machine is
STEP = Cost(0.005, 0.001)  # of T3
STAGE_S = 0.01  # of each stage of a vocoder's call
NUM_STAGES = len(CallStage) + 1  # flow has two Euler steps here


class T3:
    """On a machine that is `factor` times slower."""

    def __init__(self, factor: float = 1.0, slots: int = 16) -> None:
        self.factor, self.clock = factor, Clock()
        self.counts: list[int] = []
        self.checkpoint = checkpoint = open_checkpoint("embedded-babble")
        weights = checkpoint.t3_weights(CPU, torch.float32)
        model = T3Model(checkpoint.spec.t3, weights, CPU, torch.float32)
        settings = T3Settings(slots=slots)
        self.engine = TokenEngine(model, settings, on_step=self.on_step, clock=self.clock)
        self.voices = VoiceProvider(checkpoint, None)

    def on_step(self, sequences: Seq[Sequence]) -> None:
        self.counts.append(len(sequences))
        self.clock.now += self.factor * STEP.of(len(sequences))

    def warm(self) -> Cost:
        spec, tokenizer = self.checkpoint.spec, self.checkpoint.tokenizer()
        warm_t3(self.engine, spec, tokenizer, self.voices, self.clock)
        assert self.engine.speed.cost is not None
        return self.engine.speed.cost

    def speak(self, num_steps: int, **sampling: float) -> Cost:
        """One more sequence."""
        conditionals = self.voices.get(VoiceRef(self.voices.built_in()[0])).t3
        params = SamplingParams(max_tokens=num_steps, ignore_eos=True, **sampling)
        request = SequenceRequest(session("a"), 0, (1, 2, 3), conditionals, params)
        self.engine.receive(self.engine.prepare(request))
        while self.engine.has_work():
            self.engine.step()
        assert self.engine.speed.cost is not None
        return self.engine.speed.cost


class OneVoice(VoiceProvider):
    """Of a small vocoder."""

    def __init__(self) -> None:
        pass

    def built_in(self) -> tuple[str, ...]:
        return ("ada",)

    def get(self, voice: VoiceRef) -> Any:
        return SimpleNamespace(s3gen=conditionals(1))


class Vocoder:
    """On a machine that is `factor` times slower."""

    def __init__(self, factor: float = 1.0) -> None:
        self.factor, self.clock = factor, Clock()
        settings = VocoderSettings(policy="chunked")
        self.engine = engine_of(TINY_MEANFLOW, settings, on_stage=self.on_stage, clock=self.clock)

    def on_stage(self, stage: CallStage) -> None:
        self.clock.now += self.factor * STAGE_S

    def warm(self) -> Cost:
        warm_vocoder(self.engine, OneVoice(), self.clock)
        assert self.engine.speed.cost is not None
        return self.engine.speed.cost


@pytest.fixture(scope="module")
def t3() -> T3:
    return T3()


@pytest.fixture(scope="module")
def vocoder() -> Vocoder:
    return Vocoder()


def test_warm_t3_runs_a_prompt_and_steps_and_leaves_nothing():
    cold = T3()
    assert cold.engine.stats().cost is None
    assert cold.warm() == cold.engine.stats().cost
    assert cold.counts[:NUM_STEPS] == [1] * NUM_STEPS
    assert {1, 2, 4, MOST_SEQUENCES} <= set(cold.counts)
    assert not cold.engine.has_work()
    cold.engine.check_integrity()


def test_warm_vocoder_runs_cells_of_every_usual_length_and_leaves_nothing():
    cold = Vocoder()
    engine = cold.engine
    assert engine.stats().cost is None
    assert cold.warm() == engine.stats().cost
    cells = [call.cell for call in engine.call_log if call.key == WARMUP_KEY]
    assert [cell.num_tokens for cell in cells] == list(LADDERS[0]) * NUM_RUNS["cpu"]
    assert engine.stats().cells == LADDERS[0]
    assert not engine.has_work()
    assert engine.stats().slots_free == VocoderSettings().slots
    engine.check_integrity()


def test_warm_t3_measures_every_number_of_sequences_in_one_staggered_run():
    """A server's start waits for these steps: a run for each number would take twice as many."""
    cold = T3()
    cold.warm()
    alone, run = cold.counts[:NUM_STEPS], cold.counts[NUM_STEPS:-NUM_PROMPTS]
    first = run.index(MOST_SEQUENCES)
    assert run[:first] == sorted(run[:first])  # they join one after another
    assert run[first:] == sorted(run[first:], reverse=True)  # and end one after another
    assert len(alone) + len(run) < 70


class Warmed(NamedTuple):
    """What both engines have measured on a machine."""

    factor: float
    step: Cost
    cell: Cost


@pytest.fixture(scope="module", params=FACTORS)
def warmed(request: pytest.FixtureRequest, t3: T3, vocoder: Vocoder) -> Warmed:
    t3.factor = vocoder.factor = request.param
    return Warmed(request.param, t3.warm(), vocoder.warm())


def test_each_engine_knows_what_its_calls_cost_on_this_machine(warmed: Warmed):
    factor, step, cell = warmed
    assert (step.base_s, step.each_s) == pytest.approx((factor * STEP.base_s, factor * STEP.each_s))
    assert (cell.base_s, cell.each_s) == pytest.approx((NUM_STAGES * factor * STAGE_S, 0.0))


@pytest.mark.parametrize("factor", FACTORS)
def test_t3_schedules_by_what_rows_and_prompts_cost_on_this_machine(t3: T3, factor: float):
    t3.factor = factor
    t3.warm()
    cost, num_tokens = t3.engine._scheduler.cost, t3.engine.num_prompt_tokens
    assert num_tokens > 0
    assert cost.base_s == pytest.approx(factor * STEP.base_s)
    assert cost.row_s == pytest.approx(factor * STEP.each_s / 2)  # a guided sequence has two
    assert cost.token_s == pytest.approx(factor * STEP.each_s / num_tokens)


def test_the_chosen_cells_never_stall_a_player_that_waits_as_told(warmed: Warmed):
    """From the warm-up to the last sound: nothing is tuned to one processor."""
    factor, step, cell = warmed
    ladder, hidden_s = choose(step, cell, HALO), held_back_s(HALO)
    told_s = prebuffer_s(
        arrivals_s(cells_of(ladder), 1 / step.of(1), cell.of), played_s(cells_of(ladder), hidden_s)
    )
    slowed = Cost(factor * NUM_STAGES * STAGE_S, 0.0)
    machine = Machine(1 / (factor * STEP.of(1)), slowed, 0.0, Grid(ladder), 400)
    sizes, arrived = simulate(machine)
    assert not is_dry(arrived, sizes, hidden_s, told_s)
    assert told_s == 0.0 if factor < 1 else told_s < 1.0


def test_a_slow_machine_measures_no_longer_than_a_fast_one(vocoder: Vocoder):
    """It is warm after one synthesis, which tells the speed too."""
    vocoder.factor = 100.0
    vocoder.engine.call_log.clear()
    cost = vocoder.warm()
    assert [call.cell.num_tokens for call in vocoder.engine.call_log] == list(LADDERS[0])
    assert cost.base_s == pytest.approx(NUM_STAGES * 100 * STAGE_S)
    assert not vocoder.engine.has_work()


def test_a_measurement_is_cut_off_when_its_time_is_over(t3: T3):
    t3.factor, began_s = 20.0, t3.clock.now
    t3.warm()
    longest_s = t3.factor * STEP.of(8)  # the step that was running, and those with prompts alone
    assert t3.clock.now - began_s < MEASURE_S + 6 * longest_s
    assert not t3.engine.has_work()
    t3.engine.check_integrity()


def test_few_slots_are_measured_as_far_as_they_go():
    narrow = T3(slots=2)
    narrow.warm()
    assert set(narrow.counts) == {1}


def test_live_steps_tell_when_the_machine_becomes_slower(t3: T3):
    t3.factor = 1.0
    before = t3.warm()
    t3.factor = 2.0
    after = t3.speak(250)
    assert after.of(1) == pytest.approx(2 * before.of(1), rel=0.05)


def test_prompts_do_not_count(t3: T3):
    """A step with a long prompt takes as long as the prompt, which a client chooses."""
    t3.factor = 1.0
    before = t3.warm()
    t3.factor = 1000.0
    assert t3.speak(1) == before  # a prompt and no decode step


def test_cells_tell_when_the_machine_becomes_slower_and_abandoned_ones_do_not(vocoder: Vocoder):
    vocoder.factor = 1.0
    before, engine = vocoder.warm(), vocoder.engine
    vocoder.factor = 2.0
    for n in range(40):
        begin(engine, f"{n}", 1, 6)
        drain(engine)
    after = engine.speed.cost
    assert after is not None
    assert after.of(26) == pytest.approx(2 * before.of(26), rel=0.05)
    engine.abandon_if(lambda key, segment: True)
    begin(engine, "left", 1, 60)
    engine.step()
    assert engine.speed.cost == after
