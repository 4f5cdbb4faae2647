"""A sequence says the same whoever runs beside it, joins, leaves or is cancelled; and nothing
leaks, however long that goes on."""

import random
from dataclasses import dataclass, replace
from functools import cache

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from app.core import FinishReason, SamplingParams
from app.engine.checkpoint.spec import T3Spec
from app.engine.t3.engine import TokenEngine
from app.engine.t3.model import T3Model
from app.engine.t3.sequence import AddSequence
from tests.engine.t3 import models
from tests.engine.t3.models import Recorded, lean, request, settings

SPECS = {"english": models.ENGLISH, "turbo": models.TURBO}
KINDS = (
    SamplingParams(ignore_eos=True),
    SamplingParams(cfg_weight=0.0, top_p=0.9, min_p=0.0, ignore_eos=True),
    SamplingParams(temperature=1.2, repetition_penalty=1.8, cfg_weight=1.0, exaggeration=1.0),
    SamplingParams(top_k=50, top_p=0.8, min_p=0.0, temperature=0.7),
)


@dataclass(frozen=True)
class Plan:
    """One sequence: when it comes, what it says, and when it is cancelled, if it is."""

    joins: int
    kind: int
    voice: int
    num_text: int
    max_tokens: int
    cancelled: int | None  # steps after it joined

    def request(self, name: int) -> AddSequence:
        sampling = replace(KINDS[self.kind], max_tokens=self.max_tokens, seed=self.voice)
        return request(name, sampling, voice=self.voice, num_text=self.num_text)


plans = st.builds(
    Plan,
    joins=st.integers(0, 15),
    kind=st.integers(0, len(KINDS) - 1),
    voice=st.integers(1, 6),
    num_text=st.integers(1, 20),
    max_tokens=st.integers(1, 25),
    cancelled=st.none() | st.integers(0, 20),
)


@cache
def model_of(family: str) -> T3Model:
    return lean(models.upstream_t3(SPECS[family]), SPECS[family])


@cache
def solo(family: str, plan: Plan) -> tuple[int, ...]:
    message = plan.request(0)
    heard = models.run_all(TokenEngine(model_of(family), settings(slots=1)), [message])
    return tuple(heard.ids[message.key, 0])


def run_mix(engine: TokenEngine, mix: list[Plan]) -> Recorded:
    heard = Recorded()
    messages = [plan.request(name) for name, plan in enumerate(mix)]
    cancels = {
        name: plan.joins + plan.cancelled
        for name, plan in enumerate(mix)
        if plan.cancelled is not None
    }
    last = max([plan.joins for plan in mix] + list(cancels.values()))
    step = 0
    while engine.has_work() or step <= last:
        for name, plan in enumerate(mix):
            if plan.joins == step:
                engine.receive(messages[name])
            if cancels.get(name) == step:
                engine.cancel(messages[name].key, None)
        heard.hear(engine.step())
        engine.check_integrity()
        step += 1
    return heard


@pytest.mark.parametrize("family", SPECS)
@given(mix=st.lists(plans, min_size=2, max_size=7), slots=st.integers(1, 5))
@hypothesis_settings(max_examples=30, deadline=None, derandomize=True)
def test_a_row_in_a_batch_says_what_it_says_alone(family, mix, slots):
    heard = run_mix(TokenEngine(model_of(family), settings(slots=slots)), mix)
    for name, plan in enumerate(mix):
        address = (models.session(name), 0)
        alone = solo(family, replace(plan, joins=0, cancelled=None))
        said = tuple(heard.ids[address])
        if heard.finish[address] is FinishReason.CANCELLED:
            assert plan.cancelled is not None
            assert said == alone[: len(said)]
        else:
            assert said == alone


VERY_SMALL: T3Spec = models.ENGLISH.model_copy(
    update={"num_layers": 1, "dim": 16, "num_heads": 1, "head_dim": 16, "ffn_dim": 16}
)


def test_nothing_leaks_over_thousands_of_random_steps():
    dice = random.Random(1)
    model = lean(models.upstream_t3(VERY_SMALL), VERY_SMALL)
    engine = TokenEngine(model, settings(slots=4))
    heard = Recorded()
    names: list[int] = []
    for step in range(3000):
        if dice.random() < 0.25:
            names.append(len(names))
            sampling = SamplingParams(
                max_tokens=dice.randint(1, 30), cfg_weight=dice.choice((0.0, 0.5)), seed=step
            )
            engine.receive(request(names[-1], sampling, voice=dice.randint(1, 12), num_text=3))
        if names and dice.random() < 0.1:
            engine.cancel(models.session(dice.choice(names[-8:])), None)
        heard.hear(engine.step())
        engine.check_integrity()
    while engine.has_work():
        heard.hear(engine.step())
    engine.check_integrity()
    assert engine.stats().slots_free == 4
    assert len(heard.finish) == len(names) > 600  # each ended, exactly once
    ends = set(heard.finish.values())
    assert {FinishReason.LENGTH, FinishReason.CANCELLED} <= ends
    assert FinishReason.ERROR not in ends
