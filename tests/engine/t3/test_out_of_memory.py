"""A step that the device's memory does not suffice for: in parts, or one sequence less."""

from dataclasses import replace

import pytest

from app.core import Fault, FinishReason, SamplingParams
from app.engine.t3.dense_kv_cache import DenseKVCache
from app.engine.t3.engine import TokenEngine
from app.engine.t3.model import T3Model
from app.engine.t3.paged_kv_cache import PagedKVCache
from app.engine.t3.sampler import Sampler
from tests.support.engine.short_memory import Shortage, Times
from tests.support.engine.t3 import models
from tests.support.engine.t3.models import Recorded, lean, request, run_all, settings

LONG = SamplingParams(max_tokens=40, ignore_eos=True)
MODELS = {"english": models.ENGLISH, "turbo": models.TURBO}


@pytest.fixture(scope="module", params=MODELS)
def model(request) -> T3Model:
    spec = MODELS[request.param]
    return lean(models.upstream_t3(spec), spec)


@pytest.fixture(params=["plain", "fast"])
def fast(request) -> bool:
    return request.param == "fast"


def engine_of(model, *, fast, **changes) -> TokenEngine:
    return TokenEngine(model, settings(slots=6, **changes), fast=fast)


def requests(num=4):
    """Two of them share a voice, and so a prefix."""
    return [
        request(n, replace(LONG, seed=n, max_tokens=14 + 2 * n), voice=max(n, 2))
        for n in range(1, num + 1)
    ]


SAID = {}


def alone(model, message, *, fast) -> list[int]:
    said = id(model), message.key, fast
    if said not in SAID:
        SAID[said] = run_all(engine_of(model, fast=fast), [message]).ids[message.key, 0]
    return SAID[said]


def assert_as_alone(model, heard: Recorded, messages, *, fast):
    for message in messages:
        assert heard.ids[message.key, 0] == alone(model, message, fast=fast)
        assert heard.finish[message.key, 0] is FinishReason.LENGTH


@pytest.mark.usefixtures("all_begin_together")
@pytest.mark.parametrize("most_rows", [2, 3])
def test_a_step_with_too_many_rows_runs_in_parts_that_say_what_they_say_alone(
    model, fast, monkeypatch, most_rows
):
    messages = requests()
    with monkeypatch.context() as short:
        fits = lambda self, hidden, positions, last, attend: len(last) <= most_rows  # noqa: E731
        shortage = Shortage(short, T3Model, "forward", fits)
        heard = run_all(engine_of(model, fast=fast), messages)
    assert shortage.num_refused > 0
    assert_as_alone(model, heard, messages, fast=fast)


PLACES = [  # late: after all of its work; which call
    (T3Model, "forward", False, (0, 1, 5)),
    (T3Model, "forward", True, (0, 1, 5)),  # all keys and values are written
    (Sampler, "sample", False, (0, 5)),
    (Sampler, "sample", True, (0, 5)),  # tokens are drawn, and remembered by their slots
    (T3Model, "embed_prompt", False, (0, 2)),
    ("memory", "reserve", True, (0, 5)),
    ("memory", "begin", True, (0,)),
    ("memory", "keep", True, (0, 2)),
]


@pytest.mark.usefixtures("all_begin_together")
@pytest.mark.parametrize(
    ("owner", "name", "late", "start"),
    [(*place, start) for *place, starts in PLACES for start in starts],
)
def test_wherever_memory_runs_short_once_nothing_changes(  # noqa: PLR0917 - a place and a moment
    model, fast, monkeypatch, owner, name, late, start
):
    if owner == "memory":
        owner = PagedKVCache if fast else DenseKVCache
    messages = requests()
    with monkeypatch.context() as short:
        shortage = Shortage(short, owner, name, Times(1, start), late=late)
        heard = run_all(engine_of(model, fast=fast, prefill_tokens=60), messages)
    assert shortage.num_refused == 1
    assert_as_alone(model, heard, messages, fast=fast)


@pytest.mark.parametrize("start", [0, 3, 4])
def test_memory_that_runs_short_while_a_slot_grows_leaves_it_whole(model, monkeypatch, start):
    messages = requests()
    with monkeypatch.context() as short:
        shortage = Shortage(short, DenseKVCache, "_empty", Times(1, start))
        heard = run_all(engine_of(model, fast=False), messages)
    assert shortage.num_refused == 1
    assert_as_alone(model, heard, messages, fast=False)


@pytest.mark.parametrize("start", [0, 2, 4])
def test_memory_that_runs_short_while_pages_are_named_leaves_them_whole(model, monkeypatch, start):
    messages = requests()
    with monkeypatch.context() as short:
        shortage = Shortage(short, PagedKVCache, "_write_table", Times(1, start))
        heard = run_all(engine_of(model, fast=True), messages)
    assert shortage.num_refused == 1
    assert_as_alone(model, heard, messages, fast=True)


def refusing(name):
    """Whatever has this session's tokens in it does not fit."""
    key = models.session(name)
    return lambda self, work, *_: all(item.sequence.key != key for item in work)


@pytest.mark.parametrize("begun", [True, False], ids=["speaking", "in its prompt"])
def test_who_does_not_fit_alone_ends_by_name_and_nobody_else_notices(
    model, fast, monkeypatch, begun
):
    messages = requests()
    victim, *others = messages  # the first of them waits for the prefix that it computes
    engine = engine_of(model, fast=fast)
    heard = Recorded()
    for message in messages:
        engine.receive(message)
    items = [item for _ in range(8) for item in engine.step()] if begun else []
    with monkeypatch.context() as short:
        for name in ("run", "again"):
            Shortage(short, type(engine._runner), name, refusing(1))
        items += engine.step()
    while engine.has_work():
        items += engine.step()
        engine.check_integrity()
    heard.hear(items)
    (last,) = [item for item in items if item.key == victim.key and item.finish]
    assert (last.finish, last.fault) == (FinishReason.ERROR, Fault.OUT_OF_MEMORY)
    said = heard.ids[victim.key, 0]
    assert said == alone(model, victim, fast=fast)[: len(said)]
    assert_as_alone(model, heard, others, fast=fast)
    assert engine.stats().slots_free == 6


def test_a_slot_of_who_did_not_fit_is_free_for_the_next(model, fast, monkeypatch):
    engine = TokenEngine(model, settings(slots=1), fast=fast)
    with monkeypatch.context() as short:
        Shortage(short, T3Model, "forward", lambda *_: False)
        refused = run_all(engine, [request("a", LONG)])
    assert list(refused.finish.values()) == [FinishReason.ERROR]
    message = request("b", LONG)
    assert run_all(engine, [message]).ids[message.key, 0] == alone(model, message, fast=fast)


def test_another_fault_is_not_a_shortage(model, fast, monkeypatch):
    def broken(*_):
        raise RuntimeError("CUDA error: device-side assert triggered")

    engine = engine_of(model, fast=fast)
    engine.receive(request("a", LONG))
    monkeypatch.setattr(T3Model, "forward", broken)
    with pytest.raises(RuntimeError, match="device-side"):
        engine.step()


def test_a_cancel_after_a_shortage_frees_what_a_cancel_frees(model, fast, monkeypatch):
    engine = engine_of(model, fast=fast)
    messages = requests(3)
    for message in messages:
        engine.receive(message)
    with monkeypatch.context() as short:
        Shortage(short, T3Model, "forward", Times(1))
        engine.step()
    for message in messages:
        assert engine.cancel(message.key, None).live
    while engine.has_work():
        engine.step()
    engine.check_integrity()
    assert engine.stats().slots_free == 6
