"""Who begins beside running streams, and who waits."""

import pytest

from app.core import SessionKey
from app.sessions.smooth_admission import ASKS_WITHIN_S, SmoothAdmission, Work

STREAM = Work(10.0, is_stream=True)
FILE = Work(10.0)


def key(name: str) -> SessionKey:
    return SessionKey("default", name)


@pytest.fixture
def admission(clock) -> SmoothAdmission:
    return SmoothAdmission(clock)


@pytest.mark.parametrize("capacity", [0, 1, 9])
def test_a_lone_caller_is_always_admitted(admission, capacity):
    assert admission.admits(key("a"), STREAM, [], capacity)
    assert admission.admits(key("b"), Work(speed=4.0, is_stream=True), [], capacity)


def test_one_more_than_the_capacity_waits(admission):
    assert admission.admits(key("b"), STREAM, [STREAM], capacity=2)
    assert not admission.admits(key("c"), STREAM, [STREAM, STREAM], capacity=2)
    assert admission.admits(key("c"), STREAM, [STREAM], capacity=2)  # one has ended


def test_a_faster_stream_weighs_more(admission):
    slow, fast = (Work(10.0, is_stream=True, speed=speed) for speed in (0.5, 2.0))
    assert not admission.admits(key("b"), fast, [STREAM], capacity=2)
    assert admission.admits(key("b"), slow, [STREAM, slow], capacity=2)


def test_whole_files_wait_for_streams_and_never_for_each_other(admission):
    assert admission.admits(key("f"), FILE, [FILE] * 20, capacity=2)
    assert admission.admits(key("h"), STREAM, [FILE] * 20, capacity=2)  # it stalls nobody
    assert not admission.admits(key("g"), FILE, [STREAM, FILE], capacity=2)


def test_the_next_part_of_a_stream_that_plays_never_waits(admission):
    assert not admission.admits(key("new"), STREAM, [STREAM], capacity=1)
    assert admission.admits(key("next"), STREAM._replace(goes_on=True), [STREAM], capacity=1)


def test_who_waits_longest_begins_first(admission):
    assert not admission.admits(key("b"), STREAM, [STREAM], capacity=1)
    assert not admission.admits(key("c"), STREAM, [STREAM], capacity=1)
    assert not admission.admits(key("c"), STREAM, [], capacity=1)  # a place, but for b
    assert admission.admits(key("b"), STREAM, [], capacity=1)
    assert admission.ahead_s(key("c")) == 0.0


def test_a_stream_that_is_too_heavy_now_holds_up_none_that_fits(admission):
    fast = Work(10.0, is_stream=True, speed=4.0)
    assert not admission.admits(key("fast"), fast, [STREAM], capacity=2)
    assert admission.admits(key("b"), STREAM, [STREAM], capacity=2)
    assert not admission.admits(key("c"), STREAM, [STREAM, STREAM], capacity=2)
    assert not admission.admits(key("c"), STREAM, [], capacity=2)  # fast is the first now
    assert admission.admits(key("fast"), fast, [], capacity=2)


def test_a_session_that_was_refused_waits_no_longer(admission):
    assert not admission.admits(key("b"), STREAM, [STREAM], capacity=1)
    admission.leave(key("b"))
    assert admission.ahead_s(key("c")) == 0.0
    assert admission.admits(key("c"), STREAM, [], capacity=1)


def test_a_session_that_asks_no_more_has_left(admission, clock):
    assert not admission.admits(key("b"), STREAM, [STREAM], capacity=1)
    clock.now += ASKS_WITHIN_S / 2
    assert not admission.admits(key("c"), STREAM, [STREAM], capacity=1)
    assert admission.ahead_s(key("c")) == 10.0
    clock.now += ASKS_WITHIN_S * 0.75
    assert admission.ahead_s(key("c")) == 0.0
    assert admission.admits(key("c"), STREAM, [], capacity=1)
