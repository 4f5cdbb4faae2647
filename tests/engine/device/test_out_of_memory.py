"""What does not fit at once runs in halves, in order, and only a shortage is one."""

import weakref

import pytest
import torch

from app.engine.device.out_of_memory import fitted, in_parts

CPU = torch.device("cpu")


def limited_to(most, calls):
    def run(items):
        calls.append(list(items))
        if len(items) > most:
            raise torch.OutOfMemoryError("too many")
        return [item * 10 for item in items]

    return run


@pytest.mark.parametrize(
    ("most", "parts"),
    [(5, [5]), (4, [2, 3]), (2, [2, 1, 2]), (1, [1, 1, 1, 1, 1])],
)
def test_items_run_in_the_largest_halves_that_fit_in_order(most, parts):
    made = list(in_parts([1, 2, 3, 4, 5], limited_to(most, []), CPU))
    assert [len(part) for part, _ in made] == parts
    assert [value for _, values in made for value in values] == [10, 20, 30, 40, 50]


def test_one_that_does_not_fit_alone_is_told_and_the_others_run():
    def run(items):
        if 3 in items:
            raise torch.OutOfMemoryError("never")
        return list(items)

    made = list(in_parts([1, 2, 3, 4], run, CPU))
    assert made == [([1, 2], [1, 2]), ([3], None), ([4], [4])]


def test_a_single_item_is_tried_twice():
    calls = []
    assert list(in_parts([1], limited_to(0, calls), CPU)) == [([1], None)]
    assert calls == [[1], [1]]


def test_another_fault_is_none_of_its():
    def run():
        raise RuntimeError("CUDA error: an illegal memory access was encountered")

    with pytest.raises(RuntimeError, match="illegal"):
        fitted(run, CPU)


def test_what_the_failed_call_had_made_is_let_go_before_memory_is_given_back(monkeypatch):
    alive = weakref.WeakSet()
    counts = []

    def run():
        made = torch.zeros(1)
        alive.add(made)
        counts.append(len(alive))
        raise torch.OutOfMemoryError("no")

    monkeypatch.setattr(torch.cuda, "empty_cache", lambda: counts.append(len(alive)))
    assert fitted(run, torch.device("cuda")) is None
    assert counts == [1, 0]
