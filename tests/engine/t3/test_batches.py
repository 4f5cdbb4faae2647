"""A sequence's tokens do not depend on the sequences that run beside it, and nothing leaks."""

import random
from collections import Counter
from dataclasses import replace
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
from tests.support.engine.t3 import models
from tests.support.engine.t3.mixes import Plan, plans, run_mix
from tests.support.engine.t3.models import SPECS, Recorded, our_t3, request, send, settings

pytestmark = pytest.mark.full  # seconds in all


@cache
def model_of(family: str) -> T3Model:
    return our_t3(models.upstream_t3(SPECS[family]), SPECS[family])


@cache
def ids_alone(family: str, plan: Plan) -> tuple[int, ...]:
    alone = plan.request(0)
    recorded = models.run_all(TokenEngine(model_of(family), settings(slots=1)), [alone])
    return tuple(recorded.ids[alone.key, 0])


engine_settings = st.fixed_dictionaries(
    {
        "slots": st.integers(1, 5),
        "max_rows": st.none() | st.integers(2, 6),
        "prefill_share": st.sampled_from((0.25, 1.0, 10.0)),
        "prefixes_kept": st.integers(0, 3),
    }
)


@pytest.mark.parametrize("family", SPECS)
@given(mix=st.lists(plans, min_size=2, max_size=7), changes=engine_settings)
@hypothesis_settings(max_examples=50, deadline=None, derandomize=True)
def test_a_sequence_in_a_batch_has_the_tokens_that_it_has_alone(family, mix, changes):
    recorded = run_mix(TokenEngine(model_of(family), settings(**changes)), mix)
    for name, plan in enumerate(mix):
        segment = (models.session(name), 0)
        expected = ids_alone(family, replace(plan, joins_at=0, cancelled_after=None))
        ids = tuple(recorded.ids[segment])
        if recorded.finish[segment] is FinishReason.CANCELLED:
            assert plan.cancelled_after is not None
            assert ids == expected[: len(ids)]
        else:
            assert ids == expected


@pytest.mark.parametrize(
    ("fast", "number"),
    [
        (False, 500),
        (True, 500),
        *(pytest.param(*case, marks=pytest.mark.long) for case in [(False, 10_000), (True, 1_000)]),
    ],
)
def test_thousands_of_sequences_of_the_embedded_model_leave_no_memory_behind(fast, number):
    dice = random.Random(5)
    checkpoint = open_checkpoint("embedded-babble", None)
    model = our_t3(checkpoint.load_t3(models.CPU, torch.float32), checkpoint.spec.t3)
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
            send(engine, request(num_sent, sampling, voice=dice.randint(1, 12), num_text=3))
            num_sent += 1
        for _ in range(dice.randint(0, 4)):
            engine.cancel(models.session(num_sent - dice.randint(1, 40)), None)
        for group in engine.step():
            if group.finish is not None:
                finished[group.key] += 1
                reasons[group.finish] += 1
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


@pytest.mark.parametrize("num_steps", [1000, pytest.param(3000, marks=pytest.mark.long)])
def test_thousands_of_random_steps_leak_nothing(num_steps):
    dice = random.Random(1)
    model = our_t3(models.upstream_t3(VERY_SMALL), VERY_SMALL)
    engine = TokenEngine(model, settings(slots=4))
    recorded = Recorded()
    names: list[int] = []
    for step in range(num_steps):
        if dice.random() < 0.25:
            names.append(len(names))
            sampling = SamplingParams(
                max_tokens=dice.randint(1, 30), cfg_weight=dice.choice((0.0, 0.5)), seed=step
            )
            send(engine, request(names[-1], sampling, voice=dice.randint(1, 12), num_text=3))
        if names and dice.random() < 0.1:
            engine.cancel(models.session(dice.choice(names[-8:])), None)
        recorded.add(engine.step())
        engine.check_integrity()
    while engine.has_work():
        recorded.add(engine.step())
    engine.check_integrity()
    assert engine.stats().slots_free == 4
    assert (
        len(recorded.finish) == len(names) > num_steps / 5
    )  # Recorded accepts one finish per segment
    reasons = set(recorded.finish.values())
    assert {FinishReason.LENGTH, FinishReason.CANCELLED} <= reasons
    assert FinishReason.ERROR not in reasons
