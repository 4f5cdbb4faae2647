"""The rows of smooth starts on a fake server, and each aim that a checkout can miss."""

import asyncio
import itertools
from types import SimpleNamespace

import pytest

from benchmarks import smooth
from benchmarks.players import Refused
from benchmarks.smooth import PARTS, amount_of, measure, parse, steady
from benchmarks.smooth_rows import Case, Found, Heard, missed
from tests.support.loadtests.fake_server import fake_server
from tests.support.players import player_of

OPTIONS = "--rounds 2 --turns 3 --bursts 1 --callers 1 2 --minutes 0.01"
GOOD = [player_of(0.3, 4.0, late_s=0.01, told_s=0.02)] * 20
STALLED = player_of(0.3, 4.0, late_s=0.3)
CASES = {  # of a good checkout, beside one that begins later
    Case("now", "lone", "smooth", 1): Heard(GOOD),
    Case("now", "lone", "soonest", 1): Heard(GOOD),
    Case("before", "lone", None, 1): Heard([player_of(0.3, 4.0, late_s=0.2)] * 20),
    Case("now", "burst", "soonest", 1): Heard(GOOD),
    Case("now", "burst", "soonest", 2): Heard([player_of(0.4, 4.0)]),
    Case("now", "burst", "soonest", 4): Heard([player_of(0.5, 4.0)]),
    Case("now", "steady", "smooth", 3): Heard(GOOD),
    Case("now", "steady", "smooth", 6): Heard(GOOD, num_refused=4),
}


def misses(changes, capacity=3):
    rows = [heard.row(case, capacity) for case, heard in (CASES | changes).items()]
    return list(missed(rows, capacity))


def test_a_good_checkout_misses_no_aim():
    assert misses({}) == []


@pytest.mark.parametrize(
    ("case", "heard", "miss"),
    [
        (("now", "lone", "smooth", 1), Heard([*GOOD, STALLED]), "lone caller: 1 of 21 turns"),
        (("before", "lone", None, 1), Heard(GOOD), "smooth playback begins after"),
        (
            ("now", "lone", "soonest", 1),
            Heard([player_of(0.3, 4.0, late_s=0.01, told_s=0.09)] * 3 + GOOD),
            "right in 0.87 of turns",
        ),
        (("now", "lone", "soonest", 1), Heard([player_of(0.3, 4.0)]), "right in None of turns"),
        (("now", "burst", "soonest", 2), Heard([player_of(0.5, 4.0)]), "2 callers takes 1.67"),
        (("now", "burst", "soonest", 4), Heard([player_of(0.7, 4.0)]), "4 callers takes 2.33"),
        (("now", "steady", "smooth", 3), Heard([STALLED]), "at capacity: 1 of 1"),
        (("now", "steady", "smooth", 3), Heard(), "at capacity: no turn was played"),
        (("now", "steady", "smooth", 6), Heard([STALLED], 4), "twice the capacity: 1 of 1"),
        (
            ("now", "steady", "smooth", 6),
            Heard(GOOD),
            "twice the capacity: no turn was refused, and none waited",
        ),
    ],
)
def test_each_aim_can_be_missed(case, heard, miss):
    found = misses({Case(*case): heard})
    assert found
    assert all(miss in line for line in found)


def test_turns_may_wait_instead_of_being_refused():
    twice = Case("now", "steady", "smooth", 6)
    assert misses({twice: Heard([*GOOD[:5], player_of(4.0, 4.0)])}) == []


@pytest.mark.parametrize("capacity", [None, 0, 1])
def test_a_machine_that_bears_fewer_than_two_streams_misses_the_aim(capacity):
    assert f"a capacity of {capacity}, the aim is 2" in misses({}, capacity)[0]


async def test_this_checkout_is_asked_for_both_starts_and_the_other_for_none():
    found = Found()
    with fake_server(capacity=2, told_s=0.02) as (url, server):
        for side in ("now", "before"):
            for part in PARTS:
                await measure(url, side, part, found, amount_of(parse(OPTIONS.split()), 0))
    assert set(server.starts) == {"smooth", "soonest", None}
    assert found.capacity == 2
    assert list(found.heard) == [
        Case("now", "lone", "smooth", 1),
        Case("now", "lone", "soonest", 1),
        Case("now", "burst", "soonest", 1),
        Case("now", "burst", "soonest", 2),
        Case("now", "steady", "smooth", 2),
        Case("now", "steady", "smooth", 4),
        Case("before", "lone", None, 1),
        Case("before", "burst", None, 1),
        Case("before", "burst", None, 2),
        Case("before", "steady", None, 2),
        Case("before", "steady", None, 4),
    ]
    lone = found.rows()[0]
    assert (lone["num_heard"], lone["num_refused"], lone["told_right_share"]) == (2, 0, 1.0)
    assert lone["told_prebuffer_ms"] == {"p50": 20.0, "p95": 20.0}


class Server:
    """Each answer takes a second of its clock. Nothing else takes time."""

    def __init__(self, *answers):
        self.answers = itertools.cycle(answers)
        self.now_s = 0.0
        self.slept_s = []

    def monotonic(self):
        return self.now_s

    async def sleep(self, seconds):
        self.slept_s.append(seconds)
        self.now_s += seconds

    async def play(self, text, start):
        self.now_s += 1
        answer = next(self.answers)
        if isinstance(answer, Refused):
            raise answer
        return answer


@pytest.fixture
def stay(monkeypatch):
    """Callers on a server with these answers, for some seconds."""

    async def steadily(seconds, *answers):
        server = Server(*answers)
        monkeypatch.setattr(smooth, "time", server)
        monkeypatch.setattr(
            smooth, "asyncio", SimpleNamespace(sleep=server.sleep, gather=asyncio.gather)
        )
        monkeypatch.setattr(smooth, "ARRIVE_WITHIN_S", 0.0)
        return await steady(server, "smooth", 1, seconds, "seed"), server

    return steadily


async def test_a_refused_caller_comes_again_when_the_server_says(stay):
    heard, server = await stay(18.0, Refused("full", after_s=7.0), player_of(0.5, 0.1))
    assert (heard.num_refused, len(heard.players)) == (2, 2)
    assert server.slept_s[1] == pytest.approx(7.0 + smooth.PAUSE_S)


async def test_a_caller_hears_its_answer_before_it_asks_again(stay):
    _, server = await stay(9.0, player_of(0.5, 4.0))
    assert server.slept_s[1] == pytest.approx(3.5 + smooth.PAUSE_S)
