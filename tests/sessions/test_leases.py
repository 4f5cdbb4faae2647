"""A stage keeps a session as long as somebody wants it."""

from app.core import SessionKey
from app.sessions.leases import LEASE_S, Leases

A, B = SessionKey("default", "a"), SessionKey("default", "b")


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def test_a_session_that_nobody_wants_lapses_and_another_does_not():
    clock = Clock()
    leases = Leases(clock)
    with leases.held(A), leases.held(B):
        clock.now += LEASE_S
        assert leases.renew(frozenset({B})) == ()
        clock.now += 1
        assert leases.renew(frozenset({B})) == (A,)


def test_nothing_lapses_while_nobody_can_say():
    clock = Clock()
    leases = Leases(clock)
    with leases.held(A):
        clock.now += 2 * LEASE_S
        assert leases.renew(None) == ()
        clock.now += 1
        assert leases.renew(frozenset()) == ()
        clock.now += LEASE_S
        assert leases.renew(frozenset()) == (A,)


def test_a_session_is_held_until_its_last_stream_has_ended():
    leases = Leases()
    with leases.held(A):
        with leases.held(A):
            pass
        assert leases.keys() == {A}
    assert leases.keys() == frozenset()
    assert leases.renew(frozenset()) == ()
