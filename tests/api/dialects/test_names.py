"""Contexts by the vendor's ids and by our names."""

from app.api.dialects import names
from app.api.dialects.names import ContextNames, FailedIds


def test_an_id_that_is_used_again_has_another_name():
    made = ContextNames()
    first, second = made.open("a", 1), made.open("a", 2)
    assert first != second
    assert made.find(first) is None
    assert made.of_vendor("a") == 2


def test_a_released_context_is_still_found_by_our_name():
    made = ContextNames()
    name = made.open("a", 1)
    made.release("a")
    assert (made.find(name), made.name_of("a")) == (("a", 1), None)
    later = made.open("a", 2)
    made.forget(name)
    assert made.name_of("a") == later
    assert len(made) == 1


def test_what_is_forgotten_is_not_found():
    made = ContextNames()
    name = made.open("a", 1)
    made.forget(name)
    made.forget(name)
    made.forget(None)
    assert (made.find(name), made.of_vendor("a"), len(made)) == (None, None, 0)


def test_a_failed_id_is_free_after_its_last_text():
    failed = FailedIds()
    failed.add("a")
    assert failed.has("a", is_last=False)
    assert failed.has("a", is_last=True)
    assert not failed.has("a", is_last=True)


def test_failed_ids_are_bounded(monkeypatch):
    monkeypatch.setattr(names, "MAX_FAILED", 2)
    failed = FailedIds()
    for vendor_id in "abc":
        failed.add(vendor_id)
    assert [failed.has(vendor_id, is_last=False) for vendor_id in "abc"] == [False, True, True]
