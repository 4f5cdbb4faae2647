"""The shapes of steps, and when each shape is captured."""

from itertools import pairwise

import pytest
import torch

from app.core import SamplingParams
from app.engine.t3.decode import Row, Shape, page_buckets
from app.engine.t3.fast_runner import FastRunner
from app.engine.t3.model import T3Model
from app.engine.t3.noise import exponential
from app.engine.t3.sampler import SamplingRow
from tests.support.engine.fake_capture import FakeCapture
from tests.support.engine.launched import META, only_kernels
from tests.support.engine.t3 import models
from tests.support.engine.t3.models import our_t3


def test_a_context_is_padded_by_at_most_half_of_itself():
    buckets = page_buckets(400)
    assert buckets == (8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 400)
    assert page_buckets(5) == (5,)
    assert all(later <= 1.5 * bucket for bucket, later in pairwise(buckets))


@pytest.fixture
def capture() -> FakeCapture:
    return FakeCapture()


@pytest.fixture
def runner(capture: FakeCapture) -> FastRunner:
    model = our_t3(models.upstream_t3(models.TURBO), models.TURBO)
    return FastRunner(model, 5, 200, exponential, capture)


def rows(num_rows: int, position: int = 30, **sampling: float) -> list[Row]:
    params = SamplingParams(min_p=0.0, **sampling)
    return [Row(n, position, n, SamplingRow(n, params, 3, n, n)) for n in range(num_rows)]


@pytest.mark.parametrize(
    ("given", "shape"),
    [
        (rows(1), Shape(1, 8, sorts=False)),
        (rows(3), Shape(4, 8, sorts=False)),
        (rows(5), Shape(5, 8, sorts=False)),
        (rows(1, 127), Shape(1, 8, sorts=False)),
        (rows(1, 128), Shape(1, 12, sorts=False)),
        (rows(2, 2047), Shape(2, 128, sorts=False)),
        (rows(1, top_p=0.9), Shape(1, 8, sorts=True)),
        (rows(1, top_k=50), Shape(1, 8, sorts=True)),
        (rows(1, top_k=9000), Shape(1, 8, sorts=False)),
    ],
)
def test_a_step_has_the_smallest_shape_that_holds_it(runner, given, shape):
    assert runner._step.shape_of(given) == shape


@pytest.mark.parametrize("spec", [models.ENGLISH, models.TURBO], ids=["english", "turbo"])
def test_a_step_consists_of_kernels_on_its_device(spec):
    """CUDA refuses to capture anything else."""
    t3 = models.upstream_t3(spec).to(META)
    step = FastRunner(T3Model(spec, t3.state_dict(), META, torch.float32), 8, 200)._step
    for shape in (Shape(1, 8, sorts=False), Shape(8, 12, sorts=True)):
        step.load([], shape)
        with only_kernels():
            step.compute(shape)


@pytest.mark.parametrize(
    "from_the_host",
    [lambda seen, ids: seen.__setitem__(ids, True), lambda seen, _: seen + torch.zeros(3)],
    ids=["a scalar by index", "a tensor"],
)
def test_the_check_notices_a_value_from_the_host(from_the_host):
    seen, ids = torch.zeros(3, device=META), torch.zeros(2, dtype=torch.int64, device=META)
    with pytest.raises(AssertionError, match="the host"), only_kernels():
        from_the_host(seen, ids)


def test_a_usual_shape_is_captured_at_the_start_and_then_replayed(runner, capture):
    runner._graphs.warm_up([Shape(1, 8, sorts=False), Shape(4, 8, sorts=False)])
    for given in (rows(1), rows(3), rows(4), rows(1)):
        runner._graphs.run(given)
    assert capture.num_captured == 2
    assert capture.num_replayed == 4


def test_a_step_of_another_shape_captures_nothing_and_draws_the_same(runner, capture):
    """A capture takes as long as many steps, and every listener would wait for it."""
    unusual = [*rows(2), *rows(1, top_p=0.9)]
    first = runner._graphs.run(unusual)[:3].clone()
    assert (capture.num_captured, capture.num_replayed) == (0, 0)
    runner._graphs.warm_up([runner._step.shape_of(unusual)])
    for slot in range(3):
        runner._step.restore(slot, ())
    assert runner._graphs.run(unusual)[:3].equal(first)
    assert capture.num_replayed == 1


def test_a_capture_changes_nothing_that_a_sequence_reads(runner, capture):
    step = runner._step
    step._fed[:5] = 7
    before = (runner.kv_cache.pages.clone(), step._fed.clone(), step._sampler._seen.clone())
    runner._graphs.warm_up([Shape(4, 12, sorts=True)])
    after = (runner.kv_cache.pages, step._fed, step._sampler._seen)
    assert capture.num_captured == 1
    assert not (before[0] != after[0])[:, :, 1:].any()  # page 0 has no owner
    assert before[1][:-1].equal(after[1][:-1])  # the last slot has none either
    assert before[2][:-1].equal(after[2][:-1])
