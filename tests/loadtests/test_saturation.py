"""The search on simulated servers, and its verdict on a level."""

from dataclasses import replace

import pytest

from loadtests.records import Kind, Outcome
from loadtests.saturation import Verdict, judge, most_callers, shortfalls
from tests.support.loadtests.benches import GOOD

LATE = replace(GOOD, first_audio_s=12.0, last_audio_s=12.0, done_s=13.0)
STALLED = replace(GOOD, num_stalls=1, longest_stall_ms=300.0)


@pytest.mark.parametrize("most", [1, 2, 7, 16, 100])
@pytest.mark.parametrize("capacity", [0, 1, 2, 3, 5, 6, 13, 16, 40])
def test_the_search_finds_the_capacity(capacity, most):
    assert most_callers(lambda num: num <= capacity, most) == min(capacity, most)


def test_the_search_tries_few_levels_and_each_once():
    tried = []
    most_callers(lambda num: tried.append(num) or num <= 21, 64)
    assert len(tried) == len(set(tried)) <= 11


def test_the_search_tries_no_level_above_the_most():
    tried = []
    most_callers(lambda num: tried.append(num) or True, 20)
    assert max(tried) == 20


def test_a_good_level_is_met():
    assert judge([GOOD] * 20, 4, ttfa_ms=500).is_met


@pytest.mark.parametrize(
    ("num_late", "is_met"), [(0, True), (1, True), (2, False)], ids=["none", "5 %", "10 %"]
)
def test_five_percent_of_turns_may_be_late(num_late, is_met):
    turns = [LATE] * num_late + [GOOD] * (20 - num_late)
    assert judge(turns, 4, ttfa_ms=500).is_met == is_met


def test_no_turn_may_stall():
    assert not judge([STALLED] + [GOOD] * 999, 4, ttfa_ms=500).is_met


@pytest.mark.parametrize("outcome", [Outcome.REFUSED, Outcome.BROKEN, Outcome.UNANSWERED])
def test_a_level_with_a_refusal_or_a_fault_is_not_met(outcome):
    turns = [GOOD] * 200 + [replace(GOOD, outcome=outcome)]
    assert not judge(turns, 4, ttfa_ms=500).is_met


def test_a_level_without_turns_is_not_met():
    assert not judge([], 4, ttfa_ms=500).is_met
    assert not judge([replace(GOOD, kind=Kind.HOSTILE)], 4, ttfa_ms=500).is_met


def test_a_turn_that_is_cut_after_the_bound_is_late():
    """Otherwise a server that never speaks would have no late turn."""
    waiting = replace(GOOD, first_audio_s=None, last_audio_s=None, num_bytes=0, outcome=Outcome.CUT)
    assert judge([replace(waiting, done_s=12.0)], 4, ttfa_ms=500).num_late == 1
    assert judge([replace(waiting, done_s=10.3)], 4, ttfa_ms=500).num_turns == 0


@pytest.mark.parametrize(("num_turns", "is_met"), [(9, False), (10, True)])
def test_a_level_with_fewer_turns_than_asked_for_is_not_met(num_turns, is_met):
    assert judge([GOOD] * num_turns, 4, ttfa_ms=500, num_asked=10).is_met == is_met


def verdict(num_callers, num_turns=20, **changes):
    counts = dict.fromkeys(("num_late", "num_stalled", "num_refused", "num_faults"), 0)
    return Verdict(num_callers, num_turns, **counts | changes)


GOOD_SEARCH = [verdict(1), verdict(2), verdict(4, num_stalled=3), verdict(3, num_refused=2)]


@pytest.mark.parametrize("claimed", [None, 0, 2])
def test_a_search_that_bears_what_the_server_claims_has_no_shortfall(claimed):
    assert shortfalls(2, claimed, GOOD_SEARCH) == []


def test_a_capacity_of_0_is_a_shortfall():
    assert "capacity 0" in shortfalls(0, None, [verdict(1, num_late=20)])[0]


@pytest.mark.parametrize(("claimed", "num_broken"), [(3, 1), (4, 2), (9, 2)])
def test_a_claim_is_broken_by_a_stall_or_a_refusal_within_it(claimed, num_broken):
    found = shortfalls(2, claimed, GOOD_SEARCH)
    assert len(found) == num_broken
    assert all(f"/health claims {claimed} smooth streams" in line for line in found)


def test_a_late_first_sound_breaks_no_claim():
    assert shortfalls(1, 2, [verdict(1), verdict(2, num_late=20)]) == []


def test_a_good_level_with_fewer_turns_than_asked_for_is_a_shortfall():
    found = shortfalls(1, None, [verdict(1), verdict(2, num_turns=9, num_asked=10)])
    assert found == ["level 2: 9 turns were played, 10 were asked for"]


def test_a_level_that_breaks_its_bounds_may_have_fewer_turns():
    assert shortfalls(1, None, [verdict(1), verdict(2, 3, num_stalled=3, num_asked=10)]) == []
