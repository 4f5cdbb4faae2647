"""How long a stage remembers a cancel."""

from app.core import SessionKey
from app.sessions.recent_cancels import MAX_RECENT, RecentCancels
from app.sessions.table import Claim, SessionTable
from tests.support.clock import Clock

A = SessionKey("default", "a")


def test_a_stage_forgets_a_cancel_before_its_id_is_free_again():
    clock = Clock()
    table = SessionTable(remember_s=60, live_s=600, now=clock)
    recent = RecentCancels(remember_s=60, now=clock)
    table.cancel(A)
    recent.add(A)
    assert A in recent
    assert SessionKey("other", "a") not in recent
    clock.now += 31
    assert A not in recent
    assert list(recent) == []
    assert table.claim(A) is Claim.CANCELLED


def test_a_repeated_cancel_is_remembered_from_its_last_time():
    clock = Clock()
    recent = RecentCancels(remember_s=60, now=clock)
    recent.add(A)
    clock.now += 20
    recent.add(A)
    clock.now += 20
    assert list(recent) == [A]


def test_the_oldest_cancel_is_forgotten_where_there_are_too_many():
    recent = RecentCancels(remember_s=60, now=Clock())
    recent.add(A)
    for n in range(MAX_RECENT):
        recent.add(SessionKey("default", str(n)))
    assert A not in recent
    assert len(list(recent)) == MAX_RECENT
