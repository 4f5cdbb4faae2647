"""A sequence says the same whoever runs beside it, joins, leaves or is cancelled; and nothing
leaks, however long that goes on."""

import random
from collections import Counter
from dataclasses import dataclass, replace
from functools import cache

import psutil
import pytest
import torch
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from app.core import FinishReason, SamplingParams, SessionKey, StageStats
from app.engine.checkpoint.source import open_checkpoint
from app.engine.checkpoint.spec import T3Spec
from app.engine.t3.engine import TokenEngine
from app.engine.t3.model import T3Model
from app.engine.t3.sequence import AddSequence
from tests.support.engine.t3 import models
from tests.support.engine.t3.models import Recorded, lean, request, settings

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


engines = st.fixed_dictionaries(
    {
        "slots": st.integers(1, 5),
        "max_rows": st.none() | st.integers(2, 6),
        "prefill_share": st.sampled_from((0.25, 1.0, 10.0)),
        "prefixes_kept": st.integers(0, 3),
    }
)


@pytest.mark.parametrize("family", SPECS)
@given(mix=st.lists(plans, min_size=2, max_size=7), how=engines)
@hypothesis_settings(max_examples=50, deadline=None, derandomize=True)
def test_a_row_in_a_batch_says_what_it_says_alone(family, mix, how):
    heard = run_mix(TokenEngine(model_of(family), settings(**how)), mix)
    for name, plan in enumerate(mix):
        address = (models.session(name), 0)
        alone = solo(family, replace(plan, joins=0, cancelled=None))
        said = tuple(heard.ids[address])
        if heard.finish[address] is FinishReason.CANCELLED:
            assert plan.cancelled is not None
            assert said == alone[: len(said)]
        else:
            assert said == alone


@pytest.mark.slow
@pytest.mark.parametrize(
    ("fast", "number"),
    [(False, 2_000), (True, 1_000), pytest.param(False, 10_000, marks=pytest.mark.long)],
)
def test_thousands_of_sequences_of_the_embedded_model_leave_nothing_behind(fast, number):
    dice = random.Random(5)
    checkpoint = open_checkpoint("embedded-babble", None)
    model = lean(checkpoint.load_t3(models.CPU, torch.float32), checkpoint.spec.t3)
    engine = TokenEngine(model, settings(slots=24, prefixes_kept=4, max_rows=32), fast=fast)
    process, resident = psutil.Process(), []
    finished: Counter[SessionKey] = Counter()
    reasons: Counter[FinishReason] = Counter()
    num_sent = 0
    while num_sent < number or engine.has_work():
        while num_sent < number and engine.stats().waiting < 8:
            sampling = SamplingParams(
                max_tokens=dice.randint(1, 6), cfg_weight=dice.choice((0.0, 0.5)), seed=num_sent
            )
            engine.receive(request(num_sent, sampling, voice=dice.randint(1, 12), num_text=3))
            num_sent += 1
        for _ in range(dice.randint(0, 4)):
            engine.cancel(models.session(num_sent - dice.randint(1, 40)), None)
        for item in engine.step():
            if item.finish is not None:
                finished[item.key] += 1
                reasons[item.finish] += 1
                if len(finished) % (number // 10) == 0:
                    engine.check_integrity()
                    resident.append(process.memory_info().rss)
    engine.check_integrity()
    assert set(finished.values()) == {1}
    assert len(finished) == number
    assert reasons[FinishReason.ERROR] == 0
    assert min(reasons[FinishReason.LENGTH], reasons[FinishReason.CANCELLED]) > number / 10
    assert engine.stats() == StageStats(slots_free=24, slots_total=24)
    assert max(resident) - resident[1] < 32 * 2**20  # flat after the first fifth


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
