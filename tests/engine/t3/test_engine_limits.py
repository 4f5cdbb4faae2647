"""Requests that the token engine refuses, the memory that it holds, and its choice of a runner."""

import random
from dataclasses import replace

import pytest
import torch

from app.core import FinishReason, SamplingParams
from app.engine.t3.engine import TokenEngine
from app.engine.t3.fast_runner import FastRunner
from app.engine.t3.kv_budget import PAGE
from app.engine.t3.model import T3Model
from app.engine.t3.runner import Runner
from app.errors import BadRequest
from tests.support.engine.t3 import models
from tests.support.engine.t3.models import our_t3, request, run_all, send, settings


@pytest.fixture(scope="module")
def english() -> T3Model:
    return our_t3(models.upstream_t3(models.ENGLISH), models.ENGLISH)


@pytest.fixture(scope="module")
def turbo() -> T3Model:
    return our_t3(models.upstream_t3(models.TURBO), models.TURBO)


# -- refusals --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "param"),
    [
        ({"text_ids": ()}, "input"),
        ({"text_ids": (1,) * 513}, "input"),
        ({"text_ids": (300,)}, "input"),
        ({"sampling": SamplingParams(max_tokens=0)}, "max_tokens"),
        ({"sampling": SamplingParams(max_tokens=1025)}, "max_tokens"),
        ({"sampling": SamplingParams(temperature=-0.1)}, "temperature"),
        ({"sampling": SamplingParams(top_p=0.0)}, "top_p"),
        ({"sampling": SamplingParams(min_p=1.5)}, "min_p"),
    ],
)
def test_prepare_refuses_what_the_model_cannot_speak_by_its_field(english, change, param):
    engine = TokenEngine(english, settings())
    with pytest.raises(BadRequest) as refusal:
        engine.prepare(replace(request("a", SamplingParams()), **change))
    assert refusal.value.param == param
    assert refusal.value.message.startswith(f"{param}: ")


@pytest.mark.full
def test_the_longest_text_and_the_most_tokens_fit(english, turbo):
    for model in (english, turbo):
        engine = TokenEngine(model, settings())
        sampling = SamplingParams(max_tokens=1024, ignore_eos=True)
        longest = replace(request("a", sampling), text_ids=(1,) * 512)
        recorded = run_all(engine, [longest])
        assert recorded.finish[longest.key, 0] is FinishReason.LENGTH


# -- memory ----------------------------------------------------------------------------------------


def test_memory_follows_the_live_tokens(english):
    engine = TokenEngine(english, settings())
    send(engine, request("a", SamplingParams(max_tokens=40, ignore_eos=True)))
    while engine.has_work():
        engine.step()
        sequence = next(engine._scheduler.live(), None)
        if sequence is not None:
            position_bytes = 2 * 2 * 2 * 2 * 32 * 4  # rows, layers, k and v, heads, dim, float32
            num_needed = sequence.num_computed * position_bytes
            assert 0.75 * engine._runner.kv_cache.num_bytes <= num_needed
    assert engine._runner.kv_cache.num_bytes == 0


@pytest.mark.parametrize("fast", [False, True])
def test_at_most_a_quarter_is_wasted_at_any_mix_of_lengths(english, fast):
    """Every english prompt has 39 positions or more."""
    engine = TokenEngine(english, settings(slots=6), fast=fast)
    dice = random.Random(3)
    for name in range(30):
        sampling = SamplingParams(
            max_tokens=dice.randint(1, 90), cfg_weight=dice.choice((0.0, 0.5)), ignore_eos=True
        )
        num_text = dice.randint(1, 60)
        send(engine, request(name, sampling, voice=1 + name % 12, num_text=num_text))
    kv_cache = engine._runner.kv_cache
    while engine.has_work():
        engine.step()
        running = [s for s in engine._scheduler.live() if s.slot is not None]
        held = {s: kv_cache.pages_held(s.slot) for s in running}
        num_needed = sum(s.num_computed * s.num_rows for s in running)
        assert num_needed >= 0.75 * PAGE * sum(held.values())
        assert all(num_pages <= s.most_pages for s, num_pages in held.items())


def test_a_sequence_beyond_max_lead_yields_to_a_new_one(english):
    """The first has six seconds of sound at once, and the bound is two seconds."""
    ran: list[list[str]] = []
    engine = TokenEngine(
        english,
        settings(max_lead_s=2.0),
        on_step=lambda sequences: ran.append([s.key.session_id for s in sequences]),
        clock=lambda: 100.0,
    )
    send(engine, request("first", SamplingParams(max_tokens=300, ignore_eos=True)))
    for _ in range(150):
        engine.step()
    send(engine, request("second", SamplingParams(max_tokens=20, ignore_eos=True), voice=2))
    for _ in range(21):
        engine.step()
    assert ran[149:] == [["session-first"]] + [["session-second"]] * 20 + [["session-first"]]


def test_the_kv_cache_requires_no_gradient(english):
    engine = TokenEngine(english, settings())
    send(engine, request("a", SamplingParams(max_tokens=2, ignore_eos=True)))
    with torch.enable_grad():
        engine.step()
    assert not next(iter(engine._runner.kv_cache._slots.values())).layers[0].requires_grad


@pytest.mark.parametrize(
    ("runner", "kind"), [("auto", Runner), ("plain", Runner), ("fast", FastRunner)]
)
def test_the_device_or_the_configuration_chooses_the_runner(english, runner, kind):
    assert type(TokenEngine(english, settings(runner=runner))._runner) is kind
