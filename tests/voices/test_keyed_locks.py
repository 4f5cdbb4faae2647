"""A lock for each name while it is of use, and no longer."""

from app.voices.keyed_locks import KeyedLocks


def test_who_comes_while_it_is_held_gets_the_same_and_afterwards_it_is_gone():
    gates = KeyedLocks()
    with gates.of("ann") as held:
        assert held
        assert gates.of("ann").locked()
        assert not gates.of("bob").locked()
    assert len(gates) == 0
