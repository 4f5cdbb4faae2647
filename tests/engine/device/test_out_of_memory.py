"""Items that do not fit in one call run in halves, in order. Other errors pass through."""

import weakref

import pytest
import torch

from app.engine.device.out_of_memory import run_if_it_fits, run_in_halves

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
    results = list(run_in_halves([1, 2, 3, 4, 5], limited_to(most, []), CPU))
    assert [len(part) for part, _ in results] == parts
    assert [value for _, values in results for value in values] == [10, 20, 30, 40, 50]


def test_an_item_that_never_fits_has_no_result_and_the_others_run():
    def run(items):
        if 3 in items:
            raise torch.OutOfMemoryError("never")
        return list(items)

    results = list(run_in_halves([1, 2, 3, 4], run, CPU))
    assert results == [([1, 2], [1, 2]), ([3], None), ([4], [4])]


def test_a_single_item_is_tried_twice():
    calls = []
    assert list(run_in_halves([1], limited_to(0, calls), CPU)) == [([1], None)]
    assert calls == [[1], [1]]


def test_another_error_passes_through():
    def run():
        raise RuntimeError("CUDA error: an illegal memory access was encountered")

    with pytest.raises(RuntimeError, match="illegal"):
        run_if_it_fits(run, CPU)


def test_tensors_of_the_failed_call_are_gone_before_memory_is_given_back(monkeypatch):
    alive = weakref.WeakSet()
    counts = []

    def run():
        tensor = torch.zeros(1)
        alive.add(tensor)
        counts.append(len(alive))
        raise torch.OutOfMemoryError("no")

    monkeypatch.setattr(torch.cuda, "empty_cache", lambda: counts.append(len(alive)))
    assert run_if_it_fits(run, torch.device("cuda")) is None
    assert counts == [1, 0]
