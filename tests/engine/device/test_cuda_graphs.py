import pytest
import torch
from torch import Tensor

from app.engine.device.cuda_graphs import Captured, powers_of_two, uncaptured
from tests.support.engine.fake_capture import FakeCapture


def test_powers_of_two_end_with_the_largest_size():
    assert powers_of_two(16) == (1, 2, 4, 8, 16)
    assert powers_of_two(10) == (1, 2, 4, 8, 10)
    assert powers_of_two(1) == (1,)


@pytest.mark.parametrize("capture", [FakeCapture(), uncaptured], ids=["captured", "uncaptured"])
def test_a_captured_function_gives_the_same_results(capture):
    captured = Captured(torch.add, capture)
    results = [captured(torch.full((n,), float(n)), torch.ones(n)) for n in (2, 3, 2)]
    assert [result.tolist() for result in results] == [[3.0, 3.0], [4.0, 4.0, 4.0], [3.0, 3.0]]


def test_each_shape_is_captured_once():
    capture = FakeCapture()
    captured = Captured(torch.add, capture)
    for n in (2, 3, 2, 3):
        captured(torch.zeros(n), torch.ones(n))
    assert (capture.num_captured, capture.num_replayed) == (2, 4)


def test_a_result_outlives_the_next_call():
    captured = Captured(torch.neg, FakeCapture())
    first = captured(torch.ones(2))
    captured(torch.full((2,), 5.0))
    assert first.tolist() == [-1.0, -1.0]


def test_a_graph_always_reads_its_own_copy_of_the_inputs():
    seen: list[Tensor] = []

    def negate(x: Tensor) -> Tensor:
        seen.append(x)
        return -x

    captured = Captured(negate, FakeCapture())
    inputs = [torch.ones(2), torch.full((2,), 5.0)]
    for x in inputs:
        captured(x)
    assert all(x is seen[0] for x in seen)
    assert all(x is not seen[0] for x in inputs)
