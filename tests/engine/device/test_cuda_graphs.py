import pytest
import torch
from torch import Tensor

from app.engine.device.cuda_graphs import Captured, powers_of_two, uncaptured
from tests.support.engine.fake_capture import FakeCapture


def test_batches_come_in_powers_of_two_up_to_the_largest():
    assert powers_of_two(16) == (1, 2, 4, 8, 16)
    assert powers_of_two(10) == (1, 2, 4, 8, 10)
    assert powers_of_two(1) == (1,)


@pytest.mark.parametrize("capture", [FakeCapture(), uncaptured], ids=["captured", "uncaptured"])
def test_a_captured_function_is_the_function(capture):
    captured = Captured(torch.add, capture)
    results = [captured(torch.full((n,), float(n)), torch.ones(n)) for n in (2, 3, 2)]
    assert [result.tolist() for result in results] == [[3.0, 3.0], [4.0, 4.0, 4.0], [3.0, 3.0]]


def test_each_shape_is_captured_once():
    capture = FakeCapture()
    captured = Captured(torch.add, capture)
    for n in (2, 3, 2, 3):
        captured(torch.zeros(n), torch.ones(n))
    assert (capture.num_captured, capture.num_replayed) == (2, 4)


def test_a_result_outlives_the_next_call_and_inputs_stay_the_callers():
    seen: list[Tensor] = []

    def negated(given: Tensor) -> Tensor:
        seen.append(given)
        return -given

    captured = Captured(negated, FakeCapture())
    first_input = torch.ones(2)
    first = captured(first_input)
    captured(torch.full((2,), 5.0))
    assert first.tolist() == [-1.0, -1.0]
    assert all(given is seen[0] for given in seen)  # a graph reads where it was captured
    assert seen[0] is not first_input
