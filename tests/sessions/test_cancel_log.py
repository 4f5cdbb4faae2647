"""The log of cancels on a simulated clock."""

import pytest

from app.core import SessionKey
from app.sessions import cancel_log
from app.sessions.cancel_log import CancelLog

A, B, C = (SessionKey("default", name) for name in "abc")


@pytest.fixture
def log(clock):
    return CancelLog(remember_s=60, now=clock)


def test_a_reader_gets_the_cancels_after_its_cursor(log):
    start = log.after("", 0)
    assert start == (log.epoch, 0, ())
    log.append(A)
    first = log.after(log.epoch, start.cursor)
    log.append(B)
    log.append(C)
    assert first.cancelled == (A,)
    assert log.after(log.epoch, first.cursor).cancelled == (B, C)


def test_the_log_tells_whether_there_is_anything_after_a_cursor(log):
    assert not log.has_after(log.epoch, 0)
    assert log.has_after("another", 0)
    log.append(A)
    assert log.has_after(log.epoch, 0)
    assert not log.has_after(log.epoch, 1)


def test_a_reader_of_another_epoch_gets_every_logged_cancel(log):
    log.append(A)
    log.append(B)
    assert log.after("another", 999).cancelled == (A, B)


def test_entries_keep_their_numbers_when_older_ones_are_dropped(log, clock):
    log.append(A)
    seen = log.after("", 0)
    clock.now += 61
    log.append(B)
    assert log.after(log.epoch, seen.cursor).cancelled == (B,)
    assert log.after(log.epoch, 0).cancelled == (B,)
    clock.now += 61
    assert log.after(log.epoch, 0) == (log.epoch, 2, ())


def test_a_cancel_is_dropped_after_half_the_time_for_which_its_id_is_remembered(log, clock):
    log.append(A)
    clock.now += 30
    assert (len(log), log.keys()) == (1, {A})
    clock.now += 1
    assert (len(log), log.keys()) == (0, frozenset())


def test_a_new_limit_acts_on_entries_that_are_there(log, clock):
    log.append(A)
    clock.now += 10
    log.keep_for(remember_s=10)
    assert len(log) == 0


def test_the_log_is_bounded(monkeypatch, clock):
    monkeypatch.setattr(cancel_log, "MAX_LOGGED", 2)
    log = CancelLog(remember_s=60, now=clock)
    for key in (A, B, C):
        log.append(key)
    assert log.after(log.epoch, 0) == (log.epoch, 3, (B, C))
