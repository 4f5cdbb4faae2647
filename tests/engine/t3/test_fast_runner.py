"""The fast runner says what the plain one says, a step later, at shapes that never change."""

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
from tests.engine.t3.test_batches import SPECS, Plan, plans, run_mix
from tests.support.engine.t3 import models
from tests.support.engine.t3.models import Recorded, lean, request, run_all, settings

LONG = SamplingParams(max_tokens=40, ignore_eos=True)
SINGLE = replace(LONG, cfg_weight=0.0)


@cache
def eager_to_stop(family: str) -> T3Model:
    """Its sequences end by themselves, at any length."""
    t3 = models.upstream_t3(SPECS[family])
    t3.speech_head.weight[SPECS[family].stop_speech_token] *= 3
    return lean(t3, SPECS[family])


def fast_engine(family: str, slots: int = 8) -> TokenEngine:
    return TokenEngine(eager_to_stop(family), settings(slots=slots), fast=True)


@pytest.fixture
def shapes(monkeypatch) -> list[tuple[int, Shape]]:
    """How many rows each step was given, and at which shape it was computed."""
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
def test_it_says_what_the_plain_runner_says(family, mix, slots):
    plain = run_mix(TokenEngine(eager_to_stop(family), settings(slots=slots)), mix)
    fast = run_mix(fast_engine(family, slots), mix)
    assert plain.ids.keys() == fast.ids.keys()
    for address, said in plain.ids.items():
        ends = (plain.finish[address], fast.finish[address])
        if FinishReason.CANCELLED in ends:  # it may have come a step before the end, or after
            shorter = min(len(said), len(fast.ids[address]))
            assert said[:shorter] == fast.ids[address][:shorter]
        else:
            assert fast.ids[address] == said
            assert ends[0] is ends[1]


@pytest.mark.usefixtures("all_begin_together")
@pytest.mark.parametrize(
    ("family", "sampling"), [("english", LONG), ("english", SINGLE), ("turbo", LONG)]
)
def test_rows_of_padding_change_nothing(family, sampling, shapes):
    """Nobody leaves or joins but at the beginning, so most steps have all of them."""
    messages = [request(n, replace(sampling, seed=n), voice=n) for n in (1, 2, 3)]
    fast = run_all(fast_engine(family), messages)
    plain = run_all(TokenEngine(eager_to_stop(family), settings()), messages)
    assert fast.ids == plain.ids
    num_rows = 6 if family == "english" and sampling is LONG else 3
    bucket = 8 if num_rows == 6 else 4
    assert sum(rows == num_rows for rows, shape in shapes if shape.num_rows == bucket) > 30


def test_pairs_and_single_rows_share_a_step(shapes):
    messages = [request(1, LONG), request(2, SINGLE, voice=2), request(3, LONG, voice=3)]
    fast = run_all(fast_engine("english"), messages)
    assert fast.ids == run_all(TokenEngine(eager_to_stop("english"), settings()), messages).ids
    assert (5, Shape(num_rows=8, num_pages=8, sorts=False)) in shapes


def test_logits_that_are_not_finite_end_their_sequence_alone(monkeypatch):
    engine = fast_engine("english")
    good, bad = (request(name, LONG, voice=voice) for voice, name in ((1, "good"), (2, "bad")))
    expected = run_all(fast_engine("english"), [good])
    forward = T3Model.forward

    def broken(self: T3Model, hidden, *args: object) -> torch.Tensor:
        logits = forward(self, hidden, *args)
        if engine.step_log.num_steps == 9 and len(hidden) == 4:
            logits[2:4] = float("nan")  # the pair that was admitted last
        return logits

    monkeypatch.setattr(T3Model, "forward", broken)
    heard = run_all(engine, [good, bad])
    assert heard.finish[bad.key, 0] is FinishReason.ERROR
    assert heard.ids[good.key, 0] == expected.ids[good.key, 0]


# -- a step behind ---------------------------------------------------------------------------------


def test_a_step_is_launched_before_the_one_before_it_is_read(monkeypatch):
    order = []
    launch, land = FastRunner._launch, fast_runner._land

    def launching(self, work):
        step = launch(self, work)
        order.append(("launch", id(step)))
        kept.append(step)
        return step

    def landing(step):
        if step is not None:
            order.append(("land", id(step)))
        return land(step)

    kept: list[object] = []
    monkeypatch.setattr(FastRunner, "_launch", launching)
    monkeypatch.setattr(fast_runner, "_land", landing)
    run_all(fast_engine("english"), [request("a", replace(LONG, max_tokens=5))])
    steps = [id(step) for step in kept]
    assert len(steps) == 5  # the limit is known ahead: no step is in vain
    expected = [("launch", steps[0])]
    for before, step in pairwise(steps):
        expected += [("launch", step), ("land", before)]
    assert order == [*expected, ("land", steps[-1])]


@pytest.mark.parametrize("family", SPECS)
def test_a_stop_seen_a_step_late_ends_once_and_nothing_follows_it(family):
    messages = [
        request(n, SamplingParams(max_tokens=60, seed=n), voice=1 + n % 6) for n in range(12)
    ]
    plain_engine = TokenEngine(eager_to_stop(family), settings(slots=4))
    engine = fast_engine(family, slots=4)
    plain, fast = run_all(plain_engine, messages), run_all(engine, messages)
    stopped = [key for key, finish in plain.finish.items() if finish is FinishReason.STOP]
    assert len(stopped) > 6
    assert (fast.ids, fast.finish) == (plain.ids, plain.finish)
    for key, _ in stopped:  # one step in vain
        num_steps = len(engine.step_log.steps_of(key))
        assert num_steps == len(plain_engine.step_log.steps_of(key)) + 1


def test_a_cancel_drops_the_token_in_flight_and_frees_at_once():
    engine = fast_engine("english", slots=1)
    first, second = request("a", LONG), request("b", LONG, voice=2)
    heard = Recorded()
    engine.receive(first)
    engine.receive(second)
    for _ in range(7):
        heard.hear(engine.step())
    before = engine.step_log.steps_of(first.key)
    assert engine.cancel(first.key, None).live
    while engine.has_work():
        heard.hear(engine.step())
    engine.check_integrity()
    assert heard.finish[first.key, 0] is FinishReason.CANCELLED
    assert engine.step_log.steps_of(first.key) == before  # none began after the cancel
    alone = run_all(fast_engine("english"), [second])
    assert heard.ids[second.key, 0] == alone.ids[second.key, 0]  # in the slot, a step later


def test_a_fault_leaves_nothing_behind(monkeypatch):
    engine = fast_engine("english", slots=2)
    engine.receive(request("a", LONG))
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
    owners = (runner._step, runner._step._sampler, runner.memory)
    return {
        f"{type(owner).__name__}.{name}": value.data_ptr()
        for owner in owners
        for name, value in vars(owner).items()
        if isinstance(value, torch.Tensor)
    }


def test_what_a_graph_reads_and_writes_never_moves():
    engine = fast_engine("english", slots=3)
    before = buffers_of(engine)
    assert len(before) >= 7
    mix = [Plan(n, n % 4, 1 + n % 6, 1 + n, 20, 9 if n % 3 == 0 else None) for n in range(9)]
    run_mix(engine, mix)
    assert buffers_of(engine) == before


@pytest.mark.parametrize("family", SPECS)
def test_the_slab_never_holds_more_than_is_promised(family):
    page_gib = PAGE * 2 * 2 * 64 * 4 / 2**30  # keys and values, layers, dim, float32
    few = settings(slots=5).model_copy(update={"kv_gib": 30 * page_gib, "prefixes_kept": 2})
    engine = TokenEngine(eager_to_stop(family), few, fast=True)
    pool, slab = engine._scheduler.pool, engine._runner.memory
    assert pool.capacity == slab.num_free == 30
    heard = Recorded()
    messages = [request(n, replace(LONG, seed=n), voice=1 + n % 5) for n in range(9)]
    for message in messages:
        engine.receive(message)
    fewest = pool.capacity
    while engine.has_work():
        heard.hear(engine.step())
        engine.check_integrity()
        assert pool.num_free <= slab.num_free
        fewest = min(fewest, slab.num_free)
    assert fewest < 12  # it was tight
    plain = run_all(TokenEngine(eager_to_stop(family), settings()), messages)
    assert heard.ids == plain.ids


def test_on_a_cpu_nothing_of_cuda_is_touched(monkeypatch):
    def touched(*_: object, **__: object) -> None:
        raise AssertionError("CUDA was touched")

    for name in ("CUDAGraph", "Event", "Stream", "graph", "graph_pool_handle", "current_stream"):
        monkeypatch.setattr(torch.cuda, name, touched)
    run_all(fast_engine("turbo"), [request("a", LONG)])
    assert not torch.cuda.is_initialized()
