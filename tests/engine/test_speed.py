import random

import pytest

from app.core import Cost
from app.engine.speed import FULL, CallSpeed, fit

TRUE = Cost(0.010, 0.002)


def following(weight: float = 1 / 64, cost: Cost = TRUE) -> CallSpeed:
    speed = CallSpeed(weight)
    speed.begin(cost)
    return speed


def off(speed: CallSpeed, factor: float = 1.0) -> float:
    """How far the estimate is from the true cost times `factor`, as a share."""
    assert speed.cost is not None
    return max(abs(speed.cost.of(n) / (factor * TRUE.of(n)) - 1) for n in (1, 4, 16))


def test_the_line_goes_through_the_fastest_call_of_each_count():
    took_s = {n: [9.0, TRUE.of(n), 3 * TRUE.of(n)] for n in (1, 2, 4, 8)}
    cost = fit(took_s)
    assert cost is not None
    assert (cost.base_s, cost.each_s) == pytest.approx((TRUE.base_s, TRUE.each_s))


def test_a_count_that_was_disturbed_in_each_call_does_not_turn_the_line():
    took_s = {n: [TRUE.of(n)] for n in (1, 2, 4, 8, 16)}
    took_s[4] = [5 * TRUE.of(4)]
    speed = CallSpeed(0.1)
    speed.begin(fit(took_s) or Cost(0, 0))
    assert off(speed) < 0.25


@pytest.mark.parametrize(
    ("took_s", "cost"),
    [
        ({}, None),
        ({2: []}, None),
        ({2: [0.0]}, None),
        ({2: [0.1]}, Cost(0.1, 0.0)),
        ({1: [0.2], 4: [0.1]}, Cost(0.15, 0.0)),  # a larger call that was faster
        ({2: [0.1], 4: [0.3]}, Cost(0.0, 0.0625)),  # a line that would begin below zero
    ],
)
def test_a_line_has_no_negative_part(took_s: dict[float, list[float]], cost: Cost | None):
    found = fit(took_s)
    if cost is None or found is None:
        assert found is cost
    else:
        assert (found.base_s, found.each_s) == pytest.approx((cost.base_s, cost.each_s))


@pytest.mark.parametrize("factor", [0.5, 2.0, 4.0])
def test_a_lasting_change_of_the_machine_is_followed(factor: float):
    speed, dice = following(), random.Random(1)
    for _ in range(400):
        count = dice.choice([1, 2, 3, 5, 8])
        speed.follow(count, factor * TRUE.of(count) * dice.uniform(0.9, 1.1))
    assert off(speed, factor) < 0.05


@pytest.mark.parametrize("took_s", [3600.0, 1e-9])  # the machine stood still; a broken clock
def test_one_call_moves_the_estimate_by_less_than_a_per_cent(took_s: float):
    speed = following()
    for _ in range(100):
        speed.follow(1, TRUE.of(1))
    speed.follow(1, took_s)
    assert off(speed) < 0.01


def test_even_the_first_call_moves_it_by_an_eighth_at_most():
    speed = following()
    speed.follow(1, 3600.0)
    assert off(speed) < 0.15


def test_what_the_warm_up_could_not_see_is_known_after_a_few_calls():
    """The other engine on the same cores makes each cell take half as long again."""
    speed = following(weight=1 / 8)
    for _ in range(8):
        speed.follow(26, 1.5 * TRUE.of(26))
    assert off(speed, 1.5) < 0.1


def test_calls_that_take_far_longer_now_and_then_leave_the_estimate_where_it_is():
    speed, dice = following(), random.Random(2)
    for n in range(2000):
        outlier = 100.0 if n % 10 == 0 else 1.0
        speed.follow(1, outlier * TRUE.of(1) * dice.uniform(0.9, 1.1))
    assert off(speed) < 0.1


def test_no_mix_of_sizes_spoils_the_line():
    """A client chooses how long its cells are, and how many sequences it opens."""
    speed = following()
    for count in [1] * 500 + [64] * 500 + [1, 64] * 500:
        speed.follow(count, TRUE.of(count))
    assert off(speed) < 1e-6


def test_an_engine_that_was_not_measured_has_no_cost():
    speed = CallSpeed(0.1)
    speed.follow(1, 0.1)
    assert speed.cost is None


def test_a_clock_that_stands_still_is_ignored():
    speed = following()
    speed.follow(1, 0.0)
    assert off(speed) == 0.0


def test_a_plain_mean_would_have_been_spoilt():
    """The positive control: the outliers above move a mean to eleven times the cost."""
    times = [100.0 if n % 10 == 0 else 1.0 for n in range(2000)]
    assert sum(times) / len(times) > 10


def test_a_full_machine_is_slower_than_the_warm_up_from_the_start():
    speed = following()
    assert speed.full_cost == Cost(FULL * TRUE.base_s, FULL * TRUE.each_s)
    assert CallSpeed(0.1).full_cost is None


def test_a_full_machine_is_as_slow_as_live_calls_are():
    speed = following(weight=1 / 4)
    for _ in range(100):
        speed.follow(4, 3 * TRUE.of(4))
    assert speed.full_cost == speed.cost
    for _ in range(100):
        speed.follow(4, TRUE.of(4))  # a lone stream tells nothing of a full machine
    assert speed.full_cost == pytest.approx(Cost(FULL * TRUE.base_s, FULL * TRUE.each_s))
