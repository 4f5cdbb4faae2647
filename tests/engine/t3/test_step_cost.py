import pytest

from app.core import Cost
from app.engine.t3.step_cost import UNKNOWN_CPU, UNKNOWN_GPU, StepCost


def test_a_row_costs_its_share_of_a_sequence():
    cost = StepCost.measured(Cost(0.004, 0.001), rows_of_one=2, prompt_token_s=0.0001)
    assert cost == StepCost(0.004, 0.0005, 0.0001)
    assert cost.decode_s(4) == pytest.approx(0.006)


@pytest.mark.parametrize("prompt_token_s", [None, 0.0])
def test_nothing_is_free_where_a_measurement_says_so(prompt_token_s):
    """A GPU's steps of one and of eight sequences take the same time."""
    cost = StepCost.measured(Cost(0.004, 0.0), 2, prompt_token_s)
    assert cost.row_s / cost.base_s == cost.token_s / cost.base_s == 1 / 256


def test_a_row_is_dearer_than_a_token_of_a_prompt_on_an_unmeasured_cpu_alone():
    assert UNKNOWN_CPU.row_s > UNKNOWN_CPU.token_s
    assert UNKNOWN_GPU.row_s == UNKNOWN_GPU.token_s
