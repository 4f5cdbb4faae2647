"""The token engine's counters equal its work."""

from app.core import SamplingParams
from app.engine.t3.engine import TokenEngine
from tests.support.engine.t3 import models
from tests.support.engine.t3.models import our_t3, request, run_all, send, settings

SAMPLING = SamplingParams(max_tokens=6, ignore_eos=True)


def new_engine() -> TokenEngine:
    return TokenEngine(our_t3(models.upstream_t3(models.ENGLISH), models.ENGLISH), settings())


def test_each_step_is_counted_once_with_its_rows_and_its_tokens():
    engine = new_engine()
    assert engine.step() == []  # no sequence: no step is counted
    run_all(engine, [request("a", SAMPLING)])
    counts = engine.counts
    num_steps = len(counts.step_ms.take())
    assert (counts.num_tokens, counts.num_rows) == (6, 2 * num_steps)  # a CFG pair is two rows
    assert engine.step_log.num_steps == num_steps
    assert counts.step_ms.take() == []


def test_a_voice_has_one_prefix_miss_and_then_hits():
    engine = new_engine()
    run_all(engine, [request("a", SAMPLING), request("b", SAMPLING)])
    run_all(engine, [request("c", SAMPLING)])
    assert (engine.counts.num_prefix_misses, engine.counts.num_prefix_hits) == (1, 2)


def test_pages_of_the_prefix_stay_in_use_after_the_sequence_ends():
    engine = new_engine()
    send(engine, request("a", SAMPLING))
    engine.step()
    num_used = engine.counts.num_pages_used
    while engine.has_work():
        engine.step()
    assert 0 < engine.counts.num_pages_used < num_used < engine.counts.num_pages
