"""A name has a lock while a thread uses it, and no longer."""

from app.voices.keyed_locks import KeyedLocks


def test_a_name_has_one_lock_while_it_is_held_and_none_afterwards():
    locks = KeyedLocks()
    with locks.of("ann"):
        assert locks.of("ann").locked()
        assert not locks.of("bob").locked()
    assert len(locks) == 0
