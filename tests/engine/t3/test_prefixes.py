"""A voice's part of the prompt is computed once, and the tokens stay the same."""

from dataclasses import replace

import pytest
from torch import Tensor

from app.core import FinishReason, SamplingParams
from app.engine.t3.conditioning import ConditioningEncoder
from app.engine.t3.engine import TokenEngine
from app.engine.t3.kv_budget import PAGE
from app.engine.t3.model import T3Model
from app.engine.t3.sequence import SequenceRequest
from app.errors import BadRequest
from tests.support.engine.t3 import models
from tests.support.engine.t3.models import SPECS, Recorded, our_t3, request, run_all, send, settings

pytestmark = pytest.mark.full  # seconds in all

SAMPLING = SamplingParams(max_tokens=30, ignore_eos=True)
NUM_PREFIX = {"english": 34, "turbo": 1 + 21}  # positions; voice 1 has a prompt of 21 tokens


@pytest.fixture(scope="module", params=SPECS)
def family(request) -> str:
    return request.param


@pytest.fixture(scope="module")
def model(family) -> T3Model:
    return our_t3(models.upstream_t3(SPECS[family]), SPECS[family])


@pytest.fixture
def computed(monkeypatch) -> list[int]:
    """Records positions times rows of each call of the model."""
    calls: list[int] = []
    forward = T3Model.forward

    def counting(self: T3Model, hidden: Tensor, *args: object) -> Tensor:
        calls.append(len(hidden))
        return forward(self, hidden, *args)

    monkeypatch.setattr(T3Model, "forward", counting)
    return calls


@pytest.fixture
def encoded(monkeypatch) -> list[float]:
    """Records the exaggeration of each voice's encoding."""
    calls: list[float] = []
    encode = ConditioningEncoder.encode

    def counting(self: ConditioningEncoder, conditionals, exaggeration: float) -> Tensor:
        calls.append(exaggeration)
        return encode(self, conditionals, exaggeration)

    monkeypatch.setattr(ConditioningEncoder, "encode", counting)
    return calls


def ids_alone(model: T3Model, one: SequenceRequest) -> list[int]:
    return run_all(TokenEngine(model, settings()), [one]).ids[one.key, one.segment]


def rows_of(family: str) -> int:
    return 2 if family == "english" else 1


def test_the_second_request_of_a_voice_computes_its_text_only(family, model, computed):
    engine = TokenEngine(model, settings())
    first, second = request("a", SAMPLING), request("b", replace(SAMPLING, seed=7), num_text=9)
    num_rows = rows_of(family)
    run_all(engine, [first])
    assert computed[0] == num_rows * model.num_prompt(first.conditionals, 12)
    computed.clear()
    recorded = run_all(engine, [second])
    num_prompt = model.num_prompt(second.conditionals, 9)
    assert computed[0] == num_rows * (num_prompt - NUM_PREFIX[family])
    assert recorded.ids[second.key, 0] == ids_alone(model, second)


@pytest.mark.usefixtures("all_prompts_at_once")
def test_of_four_requests_at_once_one_computes_the_prefix_for_all(family, model, computed):
    engine = TokenEngine(model, settings())
    requests = [request(name, replace(SAMPLING, seed=name)) for name in range(4)]
    recorded = run_all(engine, requests)
    num_prompt = model.num_prompt(requests[0].conditionals, 12)
    num_prompts = num_prompt + 3 * (num_prompt - NUM_PREFIX[family])
    num_decoded = 4 * (SAMPLING.max_tokens - 1)
    assert sum(computed) == rows_of(family) * (num_prompts + num_decoded)
    for one in requests:
        assert recorded.ids[one.key, 0] == ids_alone(model, one)


@pytest.mark.parametrize(("prefixes_kept", "num_encoded"), [(1, 1), (0, 3)])
def test_a_kept_prefix_is_not_encoded_again(model, encoded, prefixes_kept, num_encoded):
    engine = TokenEngine(model, settings(prefixes_kept=prefixes_kept))
    for name in range(3):
        run_all(engine, [request(name, SAMPLING)])
    assert len(encoded) == num_encoded


def test_another_exaggeration_is_another_prefix():
    model = our_t3(models.upstream_t3(models.ENGLISH), models.ENGLISH)
    engine = TokenEngine(model, settings())
    for exaggeration in (0.2, 0.9, 0.2):
        one = request("a", replace(SAMPLING, exaggeration=exaggeration))
        recorded = run_all(engine, [one])
        assert recorded.ids[one.key, 0] == ids_alone(model, one)
    assert engine._runner.kv_cache.num_prefixes == 2


@pytest.mark.parametrize("weights", [(0.5, 0.0), (0.0, 0.5)])
def test_a_pair_and_a_single_row_share_a_prefix(weights):
    model = our_t3(models.upstream_t3(models.ENGLISH), models.ENGLISH)
    engine = TokenEngine(model, settings())
    for name, cfg_weight in enumerate(weights):
        one = request(name, replace(SAMPLING, cfg_weight=cfg_weight))
        recorded = run_all(engine, [one])
        assert recorded.ids[one.key, 0] == ids_alone(model, one)
    assert engine._runner.kv_cache.num_prefixes == 1


@pytest.mark.parametrize("num_steps", [0, 1, 2, 3])
def test_a_sequence_computes_its_prefix_when_the_author_is_cancelled(family, model, num_steps):
    num_rows = rows_of(family)
    engine = TokenEngine(model, settings(prefill_tokens=10 * num_rows))
    author, waiting = request("author", SAMPLING), request("waiting", replace(SAMPLING, seed=3))
    recorded = Recorded()
    send(engine, author, waiting)
    for _ in range(num_steps):
        recorded.add(engine.step())
    engine.cancel(author.key, None)
    engine.check_integrity()
    while engine.has_work():
        recorded.add(engine.step())
    assert recorded.finish[author.key, 0] is FinishReason.CANCELLED
    assert recorded.ids[waiting.key, 0] == ids_alone(model, waiting)
    engine.check_integrity()


def test_more_voices_than_prefixes_kept_have_the_same_tokens(family, model):
    engine = TokenEngine(model, settings(slots=2, prefixes_kept=2))
    requests = [
        request(name, replace(SAMPLING, seed=name), voice=1 + name % 5) for name in range(15)
    ]
    recorded = run_all(engine, requests)
    assert engine._runner.kv_cache.num_prefixes == 2
    for one in requests:
        assert recorded.ids[one.key, 0] == ids_alone(model, one)


def test_no_prefix_is_kept_where_prefixes_kept_is_zero(family, model):
    engine = TokenEngine(model, settings(prefixes_kept=0))
    requests = [request(name, replace(SAMPLING, seed=name)) for name in range(3)]
    recorded = run_all(engine, requests)
    assert engine._runner.kv_cache.num_prefixes == 0
    for one in requests:
        assert recorded.ids[one.key, 0] == ids_alone(model, one)


def test_a_kept_prefix_is_a_copy_of_one_row():
    model = our_t3(models.upstream_t3(models.ENGLISH), models.ENGLISH)
    engine = TokenEngine(model, settings())
    run_all(engine, [request("a", SAMPLING)])
    ((_, layers),) = engine._runner.kv_cache._prefixes.items()
    assert layers[0].shape == (2, 1, 2, 34, 32)
    assert layers[0].untyped_storage().nbytes() == layers[0].nbytes


# -- too little memory -----------------------------------------------------------------------------


def gib(num_pages: int) -> float:
    """For the tiny models: two layers, keys and values, 64 wide, float32."""
    return num_pages * PAGE * 2 * 2 * 64 * 4 / 2**30


def test_prepare_refuses_a_request_that_never_fits(family, model):
    one = request("a", replace(SAMPLING, max_tokens=400))
    longest = model.num_prompt(one.conditionals, 12) + 399
    num_pages = rows_of(family) * -(-longest // PAGE)
    TokenEngine(model, settings(kv_gib=gib(num_pages))).prepare(one)
    with pytest.raises(BadRequest, match=f"{num_pages} pages of memory; there are") as refusal:
        TokenEngine(model, settings(kv_gib=gib(num_pages - 1))).prepare(one)
    assert refusal.value.param == "max_tokens"


def test_a_sequence_that_does_not_fit_now_waits_and_is_whole(family, model):
    num_rows = rows_of(family)
    engine = TokenEngine(model, settings(kv_gib=gib(num_rows * 13)))  # two or three sequences
    requests = [
        request(name, replace(SAMPLING, seed=name), voice=1 + name % 3) for name in range(8)
    ]
    send(engine, *requests)
    recorded, most_at_once = Recorded(), 0
    while engine.has_work():
        recorded.add(engine.step())
        engine.check_integrity()
        most_at_once = max(most_at_once, engine.stats().live)
    assert most_at_once < 8
    for one in requests:
        assert recorded.ids[one.key, 0] == ids_alone(model, one)
