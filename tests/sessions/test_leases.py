"""A stage keeps a session as long as a consumer wants it."""

from app.core import SessionKey
from app.sessions.leases import LEASE_S, Leases
from tests.support.clock import Clock

A, B = SessionKey("default", "a"), SessionKey("default", "b")


def test_a_lease_lapses_where_no_consumer_wants_its_session():
    clock = Clock()
    leases = Leases(clock)
    with leases.held(A), leases.held(B):
        clock.now += LEASE_S
        assert leases.renew(frozenset({B})) == ()
        clock.now += 1
        assert leases.renew(frozenset({B})) == (A,)


def test_no_lease_lapses_while_the_registry_does_not_answer():
    clock = Clock()
    leases = Leases(clock)
    with leases.held(A):
        clock.now += 2 * LEASE_S
        assert leases.renew(None) == ()
        clock.now += 1
        assert leases.renew(frozenset()) == ()
        clock.now += LEASE_S
        assert leases.renew(frozenset()) == (A,)


def test_a_lease_is_held_until_the_last_stream_of_its_session_has_ended():
    leases = Leases()
    with leases.held(A):
        with leases.held(A):
            pass
        assert leases.keys() == {A}
    assert leases.keys() == frozenset()
    assert leases.renew(frozenset()) == ()
