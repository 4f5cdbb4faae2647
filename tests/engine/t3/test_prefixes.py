"""A voice's part of the prompt is computed once, and nobody can hear that."""

from dataclasses import replace

import pytest
from torch import Tensor

from app.core import FinishReason, SamplingParams
from app.engine.t3.engine import TokenEngine
from app.engine.t3.kv_budget import PAGE
from app.engine.t3.model import T3Model
from app.engine.t3.sequence import AddSequence
from app.errors import BadRequest
from tests.support.engine.t3 import models
from tests.support.engine.t3.models import Recorded, lean, request, run_all, settings

SPECS = {"english": models.ENGLISH, "turbo": models.TURBO}
SAMPLING = SamplingParams(max_tokens=30, ignore_eos=True)
PREFIX = {"english": 34, "turbo": 1 + 21}  # positions; voice 1 has a prompt of 21 tokens


@pytest.fixture(scope="module", params=SPECS)
def family(request) -> str:
    return request.param


@pytest.fixture(scope="module")
def model(family) -> T3Model:
    return lean(models.upstream_t3(SPECS[family]), SPECS[family])


@pytest.fixture
def computed(monkeypatch) -> list[int]:
    """Positions times rows of each call of the model."""
    calls: list[int] = []
    forward = T3Model.forward

    def counting(self: T3Model, hidden: Tensor, *args: object) -> Tensor:
        calls.append(len(hidden))
        return forward(self, hidden, *args)

    monkeypatch.setattr(T3Model, "forward", counting)
    return calls


def alone(model: T3Model, message: AddSequence) -> list[int]:
    return run_all(TokenEngine(model, settings()), [message]).ids[message.key, message.segment]


def rows_of(family: str) -> int:
    return 2 if family == "english" else 1


def test_the_second_request_of_a_voice_computes_its_text_alone(family, model, computed):
    engine = TokenEngine(model, settings())
    first, second = request("a", SAMPLING), request("b", replace(SAMPLING, seed=7), num_text=9)
    num_rows = rows_of(family)
    run_all(engine, [first])
    assert computed[0] == num_rows * model.num_prompt(first.conditionals, 12)
    computed.clear()
    heard = run_all(engine, [second])
    num_prompt = model.num_prompt(second.conditionals, 9)
    assert computed[0] == num_rows * (num_prompt - PREFIX[family])
    assert heard.ids[second.key, 0] == alone(model, second)


@pytest.mark.usefixtures("all_begin_together")
def test_of_four_at_once_one_computes_the_prefix_and_the_others_wait_for_it(
    family, model, computed
):
    engine = TokenEngine(model, settings())
    requests = [request(name, replace(SAMPLING, seed=name)) for name in range(4)]
    heard = run_all(engine, requests)
    num_prompt = model.num_prompt(requests[0].conditionals, 12)
    num_prompts = num_prompt + 3 * (num_prompt - PREFIX[family])
    num_decoded = 4 * (SAMPLING.max_tokens - 1)
    assert sum(computed) == rows_of(family) * (num_prompts + num_decoded)
    for message in requests:
        assert heard.ids[message.key, 0] == alone(model, message)


def test_another_exaggeration_is_another_prefix():
    model = lean(models.upstream_t3(models.ENGLISH), models.ENGLISH)
    engine = TokenEngine(model, settings())
    for exaggeration in (0.2, 0.9, 0.2):
        message = request("a", replace(SAMPLING, exaggeration=exaggeration))
        heard = run_all(engine, [message])
        assert heard.ids[message.key, 0] == alone(model, message)
    assert engine._runner.memory.num_prefixes == 2


@pytest.mark.parametrize("weights", [(0.5, 0.0), (0.0, 0.5)])
def test_a_pair_and_a_single_row_share_a_prefix(weights):
    model = lean(models.upstream_t3(models.ENGLISH), models.ENGLISH)
    engine = TokenEngine(model, settings())
    for name, cfg_weight in enumerate(weights):
        message = request(name, replace(SAMPLING, cfg_weight=cfg_weight))
        heard = run_all(engine, [message])
        assert heard.ids[message.key, 0] == alone(model, message)
    assert engine._runner.memory.num_prefixes == 1


@pytest.mark.parametrize("num_steps", [0, 1, 2, 3])
def test_who_waits_for_a_prefix_goes_on_when_its_author_is_cancelled(family, model, num_steps):
    num_rows = rows_of(family)
    engine = TokenEngine(model, settings(prefill_tokens=10 * num_rows))
    author, waiting = request("author", SAMPLING), request("waiting", replace(SAMPLING, seed=3))
    heard = Recorded()
    engine.receive(author)
    engine.receive(waiting)
    for _ in range(num_steps):
        heard.hear(engine.step())
    engine.cancel(author.key, None)
    engine.check_integrity()
    while engine.has_work():
        heard.hear(engine.step())
    assert heard.finish[author.key, 0] is FinishReason.CANCELLED
    assert heard.ids[waiting.key, 0] == alone(model, waiting)
    engine.check_integrity()


def test_more_voices_than_are_kept_are_heard_all_the_same(family, model):
    engine = TokenEngine(model, settings(slots=2, prefixes_kept=2))
    requests = [
        request(name, replace(SAMPLING, seed=name), voice=1 + name % 5) for name in range(15)
    ]
    heard = run_all(engine, requests)
    assert engine._runner.memory.num_prefixes == 2
    for message in requests:
        assert heard.ids[message.key, 0] == alone(model, message)


def test_nothing_need_be_kept(family, model):
    engine = TokenEngine(model, settings(prefixes_kept=0))
    requests = [request(name, replace(SAMPLING, seed=name)) for name in range(3)]
    heard = run_all(engine, requests)
    assert engine._runner.memory.num_prefixes == 0
    for message in requests:
        assert heard.ids[message.key, 0] == alone(model, message)


def test_a_kept_prefix_is_a_copy_of_one_row():
    model = lean(models.upstream_t3(models.ENGLISH), models.ENGLISH)
    engine = TokenEngine(model, settings())
    run_all(engine, [request("a", SAMPLING)])
    ((_, layers),) = engine._runner.memory._prefixes.items()
    assert layers[0].shape == (2, 1, 2, 34, 32)
    assert layers[0].untyped_storage().nbytes() == layers[0].nbytes


# -- memory that does not suffice ------------------------------------------------------------------


def gib(num_pages: int) -> float:
    """For the tiny models: two layers, keys and values, 64 wide, float32."""
    return num_pages * PAGE * 2 * 2 * 64 * 4 / 2**30


def test_what_would_never_fit_is_refused_by_name(family, model):
    message = request("a", replace(SAMPLING, max_tokens=400))
    longest = model.num_prompt(message.conditionals, 12) + 399
    num_pages = rows_of(family) * -(-longest // PAGE)
    TokenEngine(model, settings(kv_gib=gib(num_pages))).check(message)
    with pytest.raises(BadRequest, match=f"{num_pages} pages of memory, and there are") as refusal:
        TokenEngine(model, settings(kv_gib=gib(num_pages - 1))).check(message)
    assert refusal.value.param == "max_tokens"


def test_what_does_not_fit_now_waits_and_is_heard_whole(family, model):
    num_rows = rows_of(family)
    engine = TokenEngine(model, settings(kv_gib=gib(num_rows * 13)))  # two of them, or a few more
    requests = [
        request(name, replace(SAMPLING, seed=name), voice=1 + name % 3) for name in range(8)
    ]
    for message in requests:
        engine.receive(message)
    heard, most_at_once = Recorded(), 0
    while engine.has_work():
        heard.hear(engine.step())
        engine.check_integrity()
        most_at_once = max(most_at_once, engine.stats().live)
    assert most_at_once < 8
    for message in requests:
        assert heard.ids[message.key, 0] == alone(model, message)
