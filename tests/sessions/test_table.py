"""The bookkeeping of sessions on a simulated clock."""

import pytest

from app.core import CancelState, FinishReason, SessionKey
from app.sessions.smooth_admission import Work
from app.sessions.table import Claim, SessionEnd, SessionTable

A = SessionKey("default", "a")


@pytest.fixture
def table(clock):
    return SessionTable(remember_s=60, live_s=600, now=clock)


def test_an_id_is_used_once(table):
    assert table.claim(A) is Claim.GRANTED
    assert table.claim(A) is Claim.DUPLICATE
    table.finish(A, SessionEnd(FinishReason.STOP, 1.0, 25))
    assert table.claim(A) is Claim.DUPLICATE


def test_a_finished_id_is_free_after_a_while(table, clock):
    table.claim(A)
    table.finish(A, SessionEnd(FinishReason.STOP, 1.0, 25))
    clock.now += 61
    assert table.claim(A) is Claim.GRANTED


def test_a_live_id_is_taken_until_its_ingress_must_be_dead(table, clock):
    table.claim(A)
    clock.now += 599
    assert table.claim(A) is Claim.DUPLICATE
    clock.now += 2
    assert table.claim(A) is Claim.GRANTED


def test_a_long_text_may_live_for_as_long_as_it_plays_at_a_quarter_of_the_speed(table, clock):
    """4,096 characters of a script of three characters a second."""
    table.claim(A, Work(predicted_s=4096 / 12))
    clock.now += 599 + 4096 / 3 / 0.25
    assert table.claim(A) is Claim.DUPLICATE
    assert table.num_live() == 1


def test_a_cancel_before_its_request_wins_once(table):
    assert table.cancel(A)[1] is CancelState.UNKNOWN
    assert table.cancel(A)[1] is CancelState.UNKNOWN
    assert table.claim(A) is Claim.CANCELLED
    assert table.claim(A) is Claim.DUPLICATE
    assert table.cancel(A)[1] is CancelState.ALREADY_DONE


def test_tenants_have_separate_ids(table):
    table.claim(A)
    assert table.cancel(SessionKey("other", "a"))[1] is CancelState.UNKNOWN
    assert table.claim(SessionKey("third", "a")) is Claim.GRANTED


def test_only_the_first_finish_counts(table):
    table.claim(A)
    table.finish(A, SessionEnd(FinishReason.CANCELLED, 1.0, 25))
    table.finish(A, SessionEnd(FinishReason.STOP, 9.0, 225))
    session = table.get(A)
    assert (session.finish, session.audio_sent_s) == (FinishReason.CANCELLED, 1.0)


def test_the_table_stays_small(table, clock):
    for i in range(1000):
        key = SessionKey("default", str(i))
        table.claim(key)
        table.finish(key, SessionEnd(FinishReason.STOP, 0, 0))
        clock.now += 1
    assert len(table) <= 62


def test_an_id_is_free_again_behind_an_older_live_session(table, clock):
    table.claim(SessionKey("default", "long"))
    table.claim(A)
    table.finish(A, SessionEnd(FinishReason.STOP, 1.0, 25))
    clock.now += 61
    assert table.claim(A) is Claim.GRANTED


def test_the_live_sessions_of_a_tenant_are_those_that_began_and_have_not_ended(table, clock):
    other = SessionKey("other", "a")
    ended = SessionKey("default", "ended")
    for key in (A, other, ended):
        table.claim(key)
    table.finish(ended, SessionEnd(FinishReason.STOP, 1.0, 25))
    table.cancel(SessionKey("default", "not begun"))
    assert table.live("default") == (A,)
    assert table.live(None) == (A, other)
    assert table.live("third") == ()
    clock.now += 601
    assert table.live(None) == ()
