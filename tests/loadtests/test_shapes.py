"""Levels over time, arrivals drawn beforehand, and an open loop that waits for nobody."""

import itertools
import random
import statistics
import threading

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


def test_arrivals_are_those_of_a_poisson_process():
    arrivals_s = poisson_arrivals(5.0, 1000.0, random.Random(1))
    gaps_s = [later - earlier for earlier, later in itertools.pairwise(arrivals_s)]
    assert len(arrivals_s) == pytest.approx(5000, rel=0.05)
    assert statistics.mean(gaps_s) == pytest.approx(0.2, rel=0.05)
    assert statistics.stdev(gaps_s) == pytest.approx(0.2, rel=0.05)  # as its mean: exponential


def test_arrivals_are_in_order_and_within_the_run():
    arrivals_s = poisson_arrivals(2.0, 30.0, random.Random(3))
    assert arrivals_s == sorted(arrivals_s)
    assert arrivals_s[0] >= 0
    assert arrivals_s[-1] < 30


def test_the_same_seed_arrives_at_the_same_times():
    assert poisson_arrivals(2.0, 9.0, random.Random(3)) == poisson_arrivals(
        2.0, 9.0, random.Random(3)
    )


def test_an_arrival_does_not_wait_for_the_one_before_it():
    together = threading.Barrier(3)
    open_loop([0.0, 0.0, 0.0], lambda number, intended_s: together.wait(WAIT_S), most_open=3)
    assert not together.broken


def test_who_waits_for_room_is_late_against_what_was_intended():
    intended, num_open, most = [], [], []
    lock = threading.Lock()

    def speak(number, intended_s):
        with lock:
            num_open.append(number)
            most.append(len(num_open))
            intended.append(intended_s)
            num_open.remove(number)

    open_loop([0.0, 0.01, 0.02], speak, most_open=1)
    assert max(most) == 1
    gaps_s = [round(at_s - min(intended), 6) for at_s in sorted(intended)]
    assert gaps_s == [0.0, 0.01, 0.02]
