"""A step that does not fit in memory runs in parts, or without the sequence that does not fit."""

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
from tests.support.engine.t3.models import SPECS, Recorded, our_t3, request, run_all, send, settings

pytestmark = pytest.mark.full  # seconds in all

LONG = SamplingParams(max_tokens=40, ignore_eos=True)


@pytest.fixture(scope="module", params=SPECS)
def model(request) -> T3Model:
    spec = SPECS[request.param]
    return our_t3(models.upstream_t3(spec), spec)


@pytest.fixture(params=["plain", "fast"])
def fast(request) -> bool:
    return request.param == "fast"


def engine_of(model, *, fast, **changes) -> TokenEngine:
    return TokenEngine(model, settings(slots=6, **changes), fast=fast)


def four_requests():
    """The first two share a voice, so they share a prefix."""
    return [
        request(n, replace(LONG, seed=n, max_tokens=14 + 2 * n), voice=max(n, 2))
        for n in range(1, 5)
    ]


IDS_ALONE = {}


def ids_alone(model, one, *, fast) -> list[int]:
    cached = id(model), one.key, fast
    if cached not in IDS_ALONE:
        IDS_ALONE[cached] = run_all(engine_of(model, fast=fast), [one]).ids[one.key, 0]
    return IDS_ALONE[cached]


def assert_as_alone(model, recorded: Recorded, requests, *, fast):
    for one in requests:
        assert recorded.ids[one.key, 0] == ids_alone(model, one, fast=fast)
        assert recorded.finish[one.key, 0] is FinishReason.LENGTH


@pytest.mark.usefixtures("all_prompts_at_once")
@pytest.mark.parametrize("most_rows", [2, 3])
def test_a_step_with_too_many_rows_runs_in_parts_with_the_same_tokens(
    model, fast, monkeypatch, most_rows
):
    requests = four_requests()
    with monkeypatch.context() as short:
        fits = lambda self, hidden, positions, last, attend: len(last) <= most_rows  # noqa: E731
        shortage = Shortage(short, T3Model, "forward", fits)
        recorded = run_all(engine_of(model, fast=fast), requests)
    assert shortage.num_refused > 0
    assert_as_alone(model, recorded, requests, fast=fast)


PLACES = [  # owner, method, late (the call fails after its work), numbers of the calls that fail
    (T3Model, "forward", False, (0, 1, 5)),
    (T3Model, "forward", True, (0, 1, 5)),  # all keys and values are written
    (Sampler, "sample", False, (0, 5)),
    (Sampler, "sample", True, (0, 5)),  # tokens are drawn, and remembered by slot
    (T3Model, "embed_prompt", False, (0, 2)),
    ("kv_cache", "reserve", True, (0, 5)),
    ("kv_cache", "begin", True, (0,)),
    ("kv_cache", "keep", True, (0, 2)),
]


@pytest.mark.usefixtures("all_prompts_at_once")
@pytest.mark.parametrize(
    ("owner", "name", "late", "start"),
    [(*place, start) for *place, starts in PLACES for start in starts],
)
def test_one_shortage_anywhere_changes_no_token(  # noqa: PLR0917 - a place and a moment
    model, fast, monkeypatch, owner, name, late, start
):
    if owner == "kv_cache":
        owner = PagedKVCache if fast else DenseKVCache
    requests = four_requests()
    with monkeypatch.context() as short:
        shortage = Shortage(short, owner, name, Times(1, start), late=late)
        recorded = run_all(engine_of(model, fast=fast, prefill_tokens=60), requests)
    assert shortage.num_refused == 1
    assert_as_alone(model, recorded, requests, fast=fast)


@pytest.mark.parametrize("start", [0, 3, 4])
def test_a_shortage_while_a_slot_grows_changes_no_token(model, monkeypatch, start):
    requests = four_requests()
    with monkeypatch.context() as short:
        shortage = Shortage(short, DenseKVCache, "_empty", Times(1, start))
        recorded = run_all(engine_of(model, fast=False), requests)
    assert shortage.num_refused == 1
    assert_as_alone(model, recorded, requests, fast=False)


@pytest.mark.parametrize("start", [0, 2, 4])
def test_a_shortage_while_pages_are_assigned_changes_no_token(model, monkeypatch, start):
    requests = four_requests()
    with monkeypatch.context() as short:
        shortage = Shortage(short, PagedKVCache, "_write_table", Times(1, start))
        recorded = run_all(engine_of(model, fast=True), requests)
    assert shortage.num_refused == 1
    assert_as_alone(model, recorded, requests, fast=True)


def refusing(name):
    """A call with a chunk of this session does not fit."""
    key = models.session(name)
    return lambda self, chunks, *_: all(chunk.sequence.key != key for chunk in chunks)


@pytest.mark.parametrize("begun", [True, False], ids=["speaking", "in its prompt"])
def test_a_sequence_that_does_not_fit_alone_ends_and_no_other_changes(
    model, fast, monkeypatch, begun
):
    requests = four_requests()
    victim, *others = requests  # the second request waits for the prefix that the first computes
    engine = engine_of(model, fast=fast)
    send(engine, *requests)
    groups = [group for _ in range(8) for group in engine.step()] if begun else []
    with monkeypatch.context() as short:
        for name in ("run", "rerun"):
            Shortage(short, type(engine._runner), name, refusing(1))
        groups += engine.step()
    while engine.has_work():
        groups += engine.step()
        engine.check_integrity()
    recorded = Recorded()
    recorded.add(groups)
    (last,) = [group for group in groups if group.key == victim.key and group.finish]
    assert (last.finish, last.fault) == (FinishReason.ERROR, Fault.OUT_OF_MEMORY)
    ids = recorded.ids[victim.key, 0]
    assert ids == ids_alone(model, victim, fast=fast)[: len(ids)]
    assert_as_alone(model, recorded, others, fast=fast)
    assert engine.stats().slots_free == 6


def test_the_slot_of_a_sequence_that_did_not_fit_is_free_for_the_next(model, fast, monkeypatch):
    engine = TokenEngine(model, settings(slots=1), fast=fast)
    with monkeypatch.context() as short:
        Shortage(short, T3Model, "forward", lambda *_: False)
        refused = run_all(engine, [request("a", LONG)])
    assert list(refused.finish.values()) == [FinishReason.ERROR]
    second = request("b", LONG)
    recorded = run_all(engine, [second])
    assert recorded.ids[second.key, 0] == ids_alone(model, second, fast=fast)


def test_another_error_is_not_a_shortage(model, fast, monkeypatch):
    def broken(*_):
        raise RuntimeError("CUDA error: device-side assert triggered")

    engine = engine_of(model, fast=fast)
    send(engine, request("a", LONG))
    monkeypatch.setattr(T3Model, "forward", broken)
    with pytest.raises(RuntimeError, match="device-side"):
        engine.step()


def test_a_cancel_after_a_shortage_frees_every_slot(model, fast, monkeypatch):
    engine = engine_of(model, fast=fast)
    requests = four_requests()[:3]
    send(engine, *requests)
    with monkeypatch.context() as short:
        Shortage(short, T3Model, "forward", Times(1))
        engine.step()
    for one in requests:
        assert engine.cancel(one.key, None).live
    while engine.has_work():
        engine.step()
    engine.check_integrity()
    assert engine.stats().slots_free == 6
