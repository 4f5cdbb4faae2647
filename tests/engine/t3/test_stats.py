"""What the token engine says of its steps is what it did."""

from app.core import SamplingParams
from app.engine.t3.engine import TokenEngine
from tests.support.engine.t3 import models
from tests.support.engine.t3.models import lean, request, run_all, settings

SAMPLING = SamplingParams(max_tokens=6, ignore_eos=True)


def engine() -> TokenEngine:
    return TokenEngine(lean(models.upstream_t3(models.ENGLISH), models.ENGLISH), settings())


def test_each_step_is_counted_once_with_its_rows_and_its_tokens():
    one = engine()
    assert one.step() == []  # without work there is no step
    run_all(one, [request("a", SAMPLING)])
    counts = one.counts
    num_steps = len(counts.step_ms.take())
    assert (counts.num_tokens, counts.num_rows) == (6, 2 * num_steps)  # a CFG pair is two rows
    assert one.step_log.num_steps == num_steps
    assert counts.step_ms.take() == []


def test_a_voice_is_missed_once_and_hit_by_whoever_comes_after_or_meanwhile():
    one = engine()
    run_all(one, [request("a", SAMPLING), request("b", SAMPLING)])
    run_all(one, [request("c", SAMPLING)])
    assert (one.counts.num_prefix_misses, one.counts.num_prefix_hits) == (1, 2)


def test_pages_are_used_while_a_sequence_lives_and_kept_for_its_voice_after():
    one = engine()
    one.receive(request("a", SAMPLING))
    one.step()
    used = one.counts.num_pages_used
    while one.has_work():
        one.step()
    assert 0 < one.counts.num_pages_used < used < one.counts.num_pages
