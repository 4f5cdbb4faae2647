"""What the token engine refuses, what it holds, and who yields."""

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
from tests.support.engine.t3.models import lean, request, run_all, settings


@pytest.fixture(scope="module")
def english() -> T3Model:
    return lean(models.upstream_t3(models.ENGLISH), models.ENGLISH)


@pytest.fixture(scope="module")
def turbo() -> T3Model:
    return lean(models.upstream_t3(models.TURBO), models.TURBO)


# -- refusals --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "param"),
    [
        ({"text_ids": ()}, "input"),
        ({"text_ids": (1,) * 513}, "input"),
        ({"text_ids": (300,)}, "input"),
        ({"sampling": SamplingParams(max_tokens=0)}, "max_tokens"),
        ({"sampling": SamplingParams(max_tokens=1025)}, "max_tokens"),
        ({"sampling": SamplingParams(temperature=0.0)}, "temperature"),
        ({"sampling": SamplingParams(top_p=0.0)}, "top_p"),
        ({"sampling": SamplingParams(min_p=1.5)}, "min_p"),
    ],
)
def test_what_the_model_cannot_speak_is_refused_by_name(english, change, param):
    engine = TokenEngine(english, settings())
    message = replace(request("a", SamplingParams()), **change)
    with pytest.raises(BadRequest) as refusal:
        engine.check(message)
    assert refusal.value.param == param
    heard = run_all(engine, [message])  # sent all the same: it ends alone
    assert heard.finish[message.key, 0] is FinishReason.ERROR


def test_the_longest_text_and_the_most_tokens_fit(english, turbo):
    for model in (english, turbo):
        engine = TokenEngine(model, settings())
        sampling = SamplingParams(max_tokens=1024, ignore_eos=True)
        message = replace(request("a", sampling), text_ids=(1,) * 512)
        engine.check(message)
        heard = run_all(engine, [message])
        assert heard.finish[message.key, 0] is FinishReason.LENGTH


# -- memory ----------------------------------------------------------------------------------------


def test_memory_follows_the_tokens_that_are_live(english):
    engine = TokenEngine(english, settings())
    message = request("a", SamplingParams(max_tokens=40, ignore_eos=True))
    engine.receive(message)
    while engine.has_work():
        engine.step()
        sequence = next(engine._scheduler.live(), None)
        if sequence is not None:
            position_bytes = 2 * 2 * 2 * 2 * 32 * 4  # rows, layers, k and v, heads, dim, float32
            needed = sequence.num_computed * position_bytes
            assert 0.75 * engine._runner.memory.num_bytes <= needed
    assert engine._runner.memory.num_bytes == 0


@pytest.mark.parametrize("fast", [False, True])
def test_at_most_a_quarter_is_wasted_at_any_mix_of_lengths(english, fast):
    """Each sequence has a prompt of 39 positions at least, as every english one."""
    engine = TokenEngine(english, settings(slots=6), fast=fast)
    dice = random.Random(3)
    for name in range(30):
        sampling = SamplingParams(
            max_tokens=dice.randint(1, 90), cfg_weight=dice.choice((0.0, 0.5)), ignore_eos=True
        )
        num_text = dice.randint(1, 60)
        engine.receive(request(name, sampling, voice=1 + name % 12, num_text=num_text))
    memory = engine._runner.memory
    while engine.has_work():
        engine.step()
        running = [s for s in engine._scheduler.live() if s.slot is not None]
        held = {s: memory.pages_held(s.slot) for s in running}
        needed = sum(s.num_computed * s.num_rows for s in running)
        assert needed >= 0.75 * PAGE * sum(held.values())
        assert all(num_pages <= s.most_pages for s, num_pages in held.items())


def test_who_is_far_ahead_in_the_engine_yields_to_a_newcomer(english):
    """Six seconds of sound in no time at all, with two as the bound; then somebody comes."""
    ran: list[list[str]] = []
    engine = TokenEngine(
        english,
        settings(max_lead_s=2.0),
        on_step=lambda sequences: ran.append([s.key.session_id for s in sequences]),
        clock=lambda: 100.0,
    )
    engine.receive(request("first", SamplingParams(max_tokens=300, ignore_eos=True)))
    for _ in range(150):
        engine.step()
    engine.receive(request("second", SamplingParams(max_tokens=20, ignore_eos=True), voice=2))
    for _ in range(21):
        engine.step()
    assert ran[149:] == [["session-first"]] + [["session-second"]] * 20 + [["session-first"]]


def test_nothing_requires_a_gradient(english):
    engine = TokenEngine(english, settings())
    engine.receive(request("a", SamplingParams(max_tokens=2, ignore_eos=True)))
    with torch.enable_grad():
        engine.step()
    assert not next(iter(engine._runner.memory._slots.values()))[0].requires_grad


@pytest.mark.parametrize(
    ("runner", "kind"), [("auto", Runner), ("plain", Runner), ("fast", FastRunner)]
)
def test_the_runner_is_chosen_by_the_device_or_by_the_operator(english, runner, kind):
    assert type(TokenEngine(english, settings(runner=runner))._runner) is kind


class Mark:
    """A moment of a device that takes 5 ms for every step."""

    def __init__(self, number: int) -> None:
        self.number = number

    def query(self) -> bool:
        return self.number <= 7

    def elapsed_time(self, later: "Mark") -> float:
        return 5.0 * (later.number - self.number)


def test_the_ledger_tells_how_long_the_device_took(english, monkeypatch):
    engine = TokenEngine(english, settings())
    message = request("a", SamplingParams(max_tokens=9, ignore_eos=True))
    assert engine.step_log.device_ms(message.key) is None
    monkeypatch.setattr(Runner, "mark", lambda _: Mark(engine.step_log.num_steps + 1))
    run_all(engine, [message])
    assert engine.step_log.num_steps >= 8
    assert engine.step_log.device_ms(message.key) == 5.0 * 6  # as far as the device has come


def test_a_cpu_has_no_marks(english):
    engine = TokenEngine(english, settings())
    message = request("a", SamplingParams(max_tokens=3, ignore_eos=True))
    run_all(engine, [message])
    assert engine.step_log.device_ms(message.key) is None
