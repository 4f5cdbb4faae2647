"""A row's result in int8 is near that of float32, and the rows beside it change no bit of it."""

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from app.engine.device import int8_linear as module
from app.engine.device.int8_linear import Int8Linear, check_int8, num_levels
from app.errors import ConfigError
from tests.support.engine.int8 import has_vnni, needs_int8

pytestmark = needs_int8
SHAPE = (1040, 192)  # out, in
NUM_ROWS = [1, 2, 3, 7, 8, 15, 16, 17, 33, 64, 100]


def gaussian(seed: int, *shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def uniform(seed: int, *shape: int) -> Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed)) * 2 - 1


@pytest.fixture(params=["as on this processor", "without VNNI"], autouse=True)
def levels(request, monkeypatch):
    """A processor without VNNI has 63 levels. Every processor can compute with them."""
    if request.param == "without VNNI":
        monkeypatch.setattr(module, "num_levels", lambda: 63)


def error(ours: Tensor, exact: Tensor) -> float:
    return float((ours - exact).std() / exact.std())


@pytest.mark.parametrize("drawn", [gaussian, uniform])
@pytest.mark.parametrize("with_bias", [False, True])
def test_the_error_is_two_per_cent_at_most(drawn, with_bias):
    weight, x = drawn(1, *SHAPE), drawn(2, 33, SHAPE[1])
    bias = drawn(3, SHAPE[0]) if with_bias else None
    ours = Int8Linear(weight, bias)(x)
    assert 1e-3 < error(ours, F.linear(x, weight, bias)) < 0.02
    assert ours.is_contiguous()


@pytest.mark.parametrize("num_rows", NUM_ROWS)
@pytest.mark.parametrize("loudness", [1e-3, 1.0, 100.0])
def test_a_row_beside_others_equals_the_row_alone_bit_for_bit(num_rows, loudness):
    layer, row = Int8Linear(gaussian(1, *SHAPE), gaussian(2, SHAPE[0])), gaussian(3, 1, SHAPE[1])
    others = loudness * gaussian(4, num_rows, SHAPE[1])
    alone = layer(row)
    for place in (0, num_rows // 2, num_rows):
        beside = layer(torch.cat((others[:place], row, others[place:])))
        assert torch.equal(beside[place : place + 1], alone)


def test_one_scale_for_all_rows_would_fail_that():
    """Torch's dynamic quantisation, on the same packed weight."""
    weight, row, loud = gaussian(1, *SHAPE), gaussian(2, 1, SHAPE[1]), gaussian(3, 1, SHAPE[1])
    packed = module._pack(weight)
    alone = torch.ops.quantized.linear_dynamic(row, packed, True)
    beside = torch.ops.quantized.linear_dynamic(torch.cat((row, 100 * loud)), packed, True)[:1]
    exact = row @ weight.T
    assert error(alone, exact) < 0.03
    assert not torch.equal(beside, alone)
    assert error(beside, exact) > 0.3


def test_the_largest_products_do_not_overflow():
    weight, x = torch.ones(SHAPE), torch.ones(2, SHAPE[1])
    x[1] = -1
    ours = Int8Linear(weight)(x)
    torch.testing.assert_close(ours, F.linear(x, weight), rtol=1e-3, atol=0)


def test_an_input_has_as_many_levels_as_the_processor_says(monkeypatch):
    monkeypatch.undo()
    assert num_levels() == (127 if has_vnni() else 63)


def test_a_row_of_zeros_gives_the_bias():
    bias = gaussian(1, SHAPE[0])
    layer, x = Int8Linear(gaussian(2, *SHAPE), bias), gaussian(3, 3, SHAPE[1])
    x[1] = 0
    assert torch.equal(layer(x)[1], bias)


def test_an_output_channel_of_zeros_gives_its_bias():
    weight, bias = gaussian(1, *SHAPE), gaussian(2, SHAPE[0])
    weight[7] = 0
    ours = Int8Linear(weight, bias)(gaussian(3, 5, SHAPE[1]))
    assert torch.equal(ours[:, 7], bias[7].expand(5))
    assert ours.isfinite().all()


@pytest.mark.parametrize("value", [torch.nan, torch.inf])
def test_a_row_that_is_not_finite_leaves_its_neighbours_alone(value):
    layer, x = Int8Linear(gaussian(1, *SHAPE)), gaussian(2, 3, SHAPE[1])
    alone = layer(x)
    x[1, 5] = value
    beside = layer(x)
    assert torch.equal(beside[0::2], alone[0::2])
    assert not beside[1].isfinite().any()


def test_leading_dimensions_are_kept():
    layer, x = Int8Linear(gaussian(1, *SHAPE)), gaussian(2, 2, 3, 5, SHAPE[1])
    flat = layer(x.view(-1, SHAPE[1]))
    assert torch.equal(layer(x), flat.view(2, 3, 5, -1))
    assert torch.equal(layer(x.transpose(0, 1)), flat.view(2, 3, 5, -1).transpose(0, 1))
    assert layer(x[:0]).shape == (0, 3, 5, SHAPE[0])


def test_a_weight_in_half_precision_is_taken():
    weight, x = gaussian(1, *SHAPE).bfloat16(), gaussian(2, 4, SHAPE[1])
    assert error(Int8Linear(weight)(x), x @ weight.float().T) < 0.02


def test_int8_is_refused_on_a_gpu_and_where_torch_has_no_kernels(monkeypatch):
    check_int8("t3.dtype", torch.device("cpu"))
    with pytest.raises(ConfigError, match=r"t3\.dtype: int8 runs on a CPU"):
        check_int8("t3.dtype", torch.device("cuda"))
    monkeypatch.setattr(module, "HAS_FBGEMM", False)
    with pytest.raises(ConfigError, match=r"t3\.dtype: int8 needs FBGEMM"):
        check_int8("t3.dtype", torch.device("cpu"))
