import numpy as np
import pytest

from benchmarks.hearing_ab import BOUND_MS, difference_at_p95, start_s, verdict_of
from benchmarks.hearing_hosts import HOSTS


@pytest.fixture
def quick():
    return list(np.random.default_rng(1).uniform(1, 20, 60))


def test_two_hosts_alike_are_no_reason_to_migrate(quick):
    difference = difference_at_p95(quick, quick[::-1], 1)
    assert difference["low_ms"] <= 0 <= difference["high_ms"]
    assert verdict_of(difference) == "close"


def test_a_host_that_is_surely_slower_by_more_than_the_bound_is_left(quick):
    slow = [value + 2 * BOUND_MS for value in quick]
    difference = difference_at_p95(slow, quick, 1)
    assert difference["low_ms"] > BOUND_MS
    assert verdict_of(difference) == "migrate"


def test_a_few_slow_cancels_are_no_proof(quick):
    slow = [*quick[:-2], 400, 500]
    difference = difference_at_p95(slow, quick, 1)
    assert difference["low_ms"] < BOUND_MS
    assert verdict_of(difference) == "close"


def test_a_host_that_is_quicker_is_kept(quick):
    assert verdict_of(difference_at_p95(quick, [v + 200 for v in quick], 1)) == "close"


@pytest.mark.full
@pytest.mark.parametrize("host", HOSTS)
async def test_the_start_of_each_host_is_told_from_spawn_and_from_import(host):
    started = await start_s(host)
    assert 0 < started["import_s"] < started["spawn_s"]
