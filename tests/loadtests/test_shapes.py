"""Levels over time, random arrivals, and the open loop."""

import itertools
import random
import statistics
import threading
import time

import pytest

from loadtests.shapes import burst, open_loop, poisson_arrivals, ramp, steady

WAIT_S = 20


def test_a_steady_level_stays_and_ends():
    assert [steady(4, 60)(at_s) for at_s in (0, 30, 59.9, 60)] == [4, 4, 4, None]


def test_a_ramp_goes_from_one_to_all():
    level = ramp(4, 40)
    assert [level(at_s) for at_s in (0, 9.9, 10, 25, 39.9)] == [1, 1, 2, 3, 4]
    assert level(40) is None


def test_a_burst_comes_and_goes():
    level = burst(8, 60)
    assert [level(at_s) for at_s in (0, 11.9, 12, 19.9, 20, 33)] == [2, 2, 8, 8, 2, 8]
    assert level(60) is None


def test_arrivals_are_a_poisson_process():
    arrivals_s = poisson_arrivals(5.0, 1000.0, random.Random(1))
    gaps_s = [later - earlier for earlier, later in itertools.pairwise(arrivals_s)]
    assert len(arrivals_s) == pytest.approx(5000, rel=0.05)
    assert statistics.mean(gaps_s) == pytest.approx(0.2, rel=0.05)
    assert statistics.stdev(gaps_s) == pytest.approx(
        0.2, rel=0.05
    )  # equal to the mean: exponential


def test_arrivals_are_sorted_and_within_the_run():
    arrivals_s = poisson_arrivals(2.0, 30.0, random.Random(3))
    assert arrivals_s == sorted(arrivals_s)
    assert arrivals_s[0] >= 0
    assert arrivals_s[-1] < 30


def test_the_seed_determines_the_arrivals():
    assert poisson_arrivals(2.0, 9.0, random.Random(3)) == poisson_arrivals(
        2.0, 9.0, random.Random(3)
    )


def test_arrivals_run_at_the_same_time():
    together = threading.Barrier(3)
    open_loop([0.0, 0.0, 0.0], lambda number, intended_s: together.wait(WAIT_S), most_open=3)
    assert not together.broken


@pytest.mark.parametrize(("most", "seen"), [(1, 1), (3, 3)])
def test_a_call_that_waits_keeps_its_due_time(most, seen):
    due_s, num_open, most_seen = [], 0, 0
    lock = threading.Lock()

    def speak(number, intended_s):
        nonlocal num_open, most_seen
        with lock:
            due_s.append(intended_s)
            num_open += 1
            most_seen = max(most_seen, num_open)
        time.sleep(0.3)  # much longer than the time between the arrivals
        with lock:
            num_open -= 1

    open_loop([0.0, 0.01, 0.02], speak, most)
    assert most_seen == seen
    gaps_s = [round(at_s - min(due_s), 6) for at_s in sorted(due_s)]
    assert gaps_s == [0.0, 0.01, 0.02]
