"""The fast runner gives the tokens of the plain one, a step later, at shapes that never change."""

from dataclasses import replace
from functools import cache
from itertools import pairwise

import pytest
import torch
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from app.core import FinishReason, SamplingParams
from app.engine.t3 import fast_runner
from app.engine.t3.decode import DecodeStep, Shape
from app.engine.t3.engine import TokenEngine
from app.engine.t3.fast_runner import FastRunner
from app.engine.t3.kv_budget import PAGE
from app.engine.t3.model import T3Model
from tests.support.engine.t3 import models
from tests.support.engine.t3.mixes import Plan, plans, run_mix
from tests.support.engine.t3.models import SPECS, Recorded, our_t3, request, run_all, send, settings

pytestmark = pytest.mark.full  # seconds in all

LONG = SamplingParams(max_tokens=40, ignore_eos=True)
SINGLE = replace(LONG, cfg_weight=0.0)


@cache
def stopping_model(family: str) -> T3Model:
    """Its sequences end by themselves, at various lengths."""
    t3 = models.upstream_t3(SPECS[family])
    t3.speech_head.weight[SPECS[family].stop_speech_token] *= 3
    return our_t3(t3, SPECS[family])


def fast_engine(family: str, slots: int = 8) -> TokenEngine:
    return TokenEngine(stopping_model(family), settings(slots=slots), fast=True)


@pytest.fixture
def shapes(monkeypatch) -> list[tuple[int, Shape]]:
    """Records the number of rows and the shape of each step."""
    seen = []
    load = DecodeStep.load

    def loading(self: DecodeStep, rows, shape: Shape) -> None:
        seen.append((len(rows), shape))
        load(self, rows, shape)

    monkeypatch.setattr(DecodeStep, "load", loading)
    return seen


# -- equal to the plain path -----------------------------------------------------------------------


@pytest.mark.parametrize("family", SPECS)
@given(mix=st.lists(plans, min_size=2, max_size=7), slots=st.integers(1, 5))
@hypothesis_settings(max_examples=25, deadline=None, derandomize=True)
def test_any_mix_gives_the_tokens_of_the_plain_runner(family, mix, slots):
    plain = run_mix(TokenEngine(stopping_model(family), settings(slots=slots)), mix)
    fast = run_mix(fast_engine(family, slots), mix)
    assert plain.ids.keys() == fast.ids.keys()
    for segment, ids in plain.ids.items():
        ends = (plain.finish[segment], fast.finish[segment])
        if FinishReason.CANCELLED in ends:  # the cancel may come a step before the end, or after
            shorter = min(len(ids), len(fast.ids[segment]))
            assert ids[:shorter] == fast.ids[segment][:shorter]
        else:
            assert fast.ids[segment] == ids
            assert ends[0] is ends[1]


@pytest.mark.usefixtures("all_prompts_at_once")
@pytest.mark.parametrize(
    ("family", "sampling"), [("english", LONG), ("english", SINGLE), ("turbo", LONG)]
)
def test_rows_of_padding_change_nothing(family, sampling, shapes):
    """All sequences join at the beginning, so most steps have all of them."""
    requests = [request(n, replace(sampling, seed=n), voice=n) for n in (1, 2, 3)]
    fast = run_all(fast_engine(family), requests)
    plain = run_all(TokenEngine(stopping_model(family), settings()), requests)
    assert fast.ids == plain.ids
    num_rows = 6 if family == "english" and sampling is LONG else 3
    bucket = 8 if num_rows == 6 else 4
    assert sum(rows == num_rows for rows, shape in shapes if shape.num_rows == bucket) > 30


def test_pairs_and_single_rows_share_a_step(shapes):
    requests = [request(1, LONG), request(2, SINGLE, voice=2), request(3, LONG, voice=3)]
    fast = run_all(fast_engine("english"), requests)
    assert fast.ids == run_all(TokenEngine(stopping_model("english"), settings()), requests).ids
    assert (5, Shape(num_rows=8, num_pages=8, sorts=False)) in shapes


@pytest.mark.usefixtures("all_prompts_at_once")
def test_logits_that_are_not_finite_end_their_sequence_only(monkeypatch):
    engine = fast_engine("english")
    good, bad = (request(name, LONG, voice=voice) for voice, name in ((1, "good"), (2, "bad")))
    expected = run_all(fast_engine("english"), [good])
    forward = T3Model.forward

    def broken(self: T3Model, hidden, *args: object) -> torch.Tensor:
        logits = forward(self, hidden, *args)
        if engine.step_log.num_steps == 9 and len(hidden) == 4:
            logits[2:4] = float("nan")  # of the pair that was admitted last
        return logits

    monkeypatch.setattr(T3Model, "forward", broken)
    recorded = run_all(engine, [good, bad])
    assert recorded.finish[bad.key, 0] is FinishReason.ERROR
    assert recorded.ids[good.key, 0] == expected.ids[good.key, 0]


# -- a step behind ---------------------------------------------------------------------------------


def test_a_step_is_launched_before_the_tokens_of_the_last_one_are_read(monkeypatch):
    order = []
    launch, wait_for = FastRunner._launch, fast_runner._wait_for

    def launching(self, chunks):
        step = launch(self, chunks)
        order.append(("launch", id(step)))
        kept.append(step)
        return step

    def waiting(step):
        if step is not None:
            order.append(("read", id(step)))
        return wait_for(step)

    kept: list[object] = []
    monkeypatch.setattr(FastRunner, "_launch", launching)
    monkeypatch.setattr(fast_runner, "_wait_for", waiting)
    run_all(fast_engine("english"), [request("a", replace(LONG, max_tokens=5))])
    steps = [id(step) for step in kept]
    assert len(steps) == 5  # max_tokens is known ahead: no step is wasted
    expected = [("launch", steps[0])]
    for before, step in pairwise(steps):
        expected += [("launch", step), ("read", before)]
    assert order == [*expected, ("read", steps[-1])]


@pytest.mark.parametrize("family", SPECS)
def test_a_stop_token_costs_one_step_more_and_ends_the_sequence_once(family):
    requests = [
        request(n, SamplingParams(max_tokens=60, seed=n), voice=1 + n % 6) for n in range(12)
    ]
    plain_engine = TokenEngine(stopping_model(family), settings(slots=4))
    engine = fast_engine(family, slots=4)
    plain, fast = run_all(plain_engine, requests), run_all(engine, requests)
    stopped = [key for key, finish in plain.finish.items() if finish is FinishReason.STOP]
    assert len(stopped) > 6
    assert (fast.ids, fast.finish) == (plain.ids, plain.finish)
    for key, _ in stopped:
        num_steps = engine.step_log.summary(key).num_steps
        assert num_steps == plain_engine.step_log.summary(key).num_steps + 1


def test_a_cancel_drops_the_token_in_flight_and_frees_the_slot_at_once():
    engine = fast_engine("english", slots=1)
    first, second = request("a", LONG), request("b", LONG, voice=2)
    recorded = Recorded()
    send(engine, first, second)
    for _ in range(7):
        recorded.add(engine.step())
    num_before = engine.step_log.summary(first.key).num_steps
    assert engine.cancel(first.key, None).live
    while engine.has_work():
        recorded.add(engine.step())
    engine.check_integrity()
    assert recorded.finish[first.key, 0] is FinishReason.CANCELLED
    assert engine.step_log.summary(first.key).num_steps == num_before
    alone = run_all(fast_engine("english"), [second])
    assert recorded.ids[second.key, 0] == alone.ids[second.key, 0]  # it has the slot a step later


def test_an_error_in_the_model_leaves_nothing_behind(monkeypatch):
    engine = fast_engine("english", slots=2)
    send(engine, request("a", LONG))
    for _ in range(4):
        engine.step()

    def gone(*_: object) -> None:
        raise RuntimeError("the device is gone")

    monkeypatch.setattr(T3Model, "forward", gone)
    with pytest.raises(RuntimeError, match="device is gone"):
        engine.step()
    engine.abort()
    assert not engine.has_work()
    engine.check_integrity()


# -- in place --------------------------------------------------------------------------------------


def buffers_of(engine: TokenEngine) -> dict[str, int]:
    runner = engine._runner
    owners = (runner._step, runner._step._sampler, runner.kv_cache)
    return {
        f"{type(owner).__name__}.{name}": value.data_ptr()
        for owner in owners
        for name, value in vars(owner).items()
        if isinstance(value, torch.Tensor)
    }


def test_the_tensors_of_a_graph_never_move():
    engine = fast_engine("english", slots=3)
    before = buffers_of(engine)
    assert len(before) >= 7
    mix = [Plan(n, n % 4, 1 + n % 6, 1 + n, 20, 9 if n % 3 == 0 else None) for n in range(9)]
    run_mix(engine, mix)
    assert buffers_of(engine) == before


@pytest.mark.parametrize("family", SPECS)
def test_the_kv_cache_never_holds_more_pages_than_are_promised(family):
    page_gib = PAGE * 2 * 2 * 64 * 4 / 2**30  # keys and values, layers, dim, float32
    few = settings(slots=5).model_copy(update={"kv_gib": 30 * page_gib, "prefixes_kept": 2})
    engine = TokenEngine(stopping_model(family), few, fast=True)
    budget, kv_cache = engine._scheduler.budget, engine._runner.kv_cache
    assert budget.capacity == kv_cache.num_free == 30
    recorded = Recorded()
    requests = [request(n, replace(LONG, seed=n), voice=1 + n % 5) for n in range(9)]
    send(engine, *requests)
    fewest = budget.capacity
    while engine.has_work():
        recorded.add(engine.step())
        engine.check_integrity()
        assert budget.num_free <= kv_cache.num_free
        fewest = min(fewest, kv_cache.num_free)
    assert fewest < 12  # most pages were taken
    plain = run_all(TokenEngine(stopping_model(family), settings()), requests)
    assert recorded.ids == plain.ids


def test_a_cpu_run_calls_nothing_of_cuda(monkeypatch):
    def called(*_: object, **__: object) -> None:
        raise AssertionError("CUDA was called")

    for name in ("CUDAGraph", "Event", "Stream", "graph", "graph_pool_handle", "current_stream"):
        monkeypatch.setattr(torch.cuda, name, called)
    run_all(fast_engine("turbo"), [request("a", LONG)])
    assert not torch.cuda.is_initialized()
