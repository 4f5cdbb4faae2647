"""`linear` equals F.linear, whichever library computes it."""

import pytest
import torch
import torch.nn.functional as F

from app.engine.device import linear as module
from app.engine.device.linear import linear

NUM_ROWS = [0, 1, 2, 3, 4, 5, 15, 16, 17, 33, 48, 49, 63, 64, 200]


@pytest.mark.parametrize("has_avx512", [False, True])
@pytest.mark.parametrize("small_bytes", [0, 2**20], ids=["large weight", "small weight"])
@pytest.mark.parametrize("with_bias", [False, True])
@pytest.mark.parametrize("num_rows", NUM_ROWS)
def test_any_number_of_float32_rows_equals_f_linear(
    num_rows, with_bias, small_bytes, has_avx512, monkeypatch
):
    monkeypatch.setattr(module, "HAS_AVX512", has_avx512)
    monkeypatch.setattr(module, "_SMALL_BYTES", small_bytes)
    generator = torch.Generator().manual_seed(1)
    x = torch.randn(num_rows, 64, generator=generator)
    weight = torch.randn(2100, 64, generator=generator)  # two parts and a rest
    bias = torch.randn(2100, generator=generator) if with_bias else None
    ours = linear(x, weight, bias)
    torch.testing.assert_close(ours, F.linear(x, weight, bias), atol=1e-4, rtol=1e-5)
    assert ours.is_contiguous()


@pytest.mark.parametrize("has_amx", [False, True])
@pytest.mark.parametrize("num_rows", [1, 4, 48, 49])
def test_half_precision_equals_f_linear(num_rows, has_amx, monkeypatch):
    monkeypatch.setattr(module, "HAS_AMX", has_amx)
    x, weight = torch.randn(num_rows, 64).bfloat16(), torch.randn(96, 64).bfloat16()
    bias = torch.randn(96).bfloat16()
    ours = linear(x, weight, bias)
    torch.testing.assert_close(ours, F.linear(x, weight, bias), atol=0.2, rtol=0.02)
    assert ours.is_contiguous()


def test_leading_dimensions_are_kept():
    x, weight = torch.randn(2, 3, 5, 64), torch.randn(96, 64)
    torch.testing.assert_close(linear(x, weight), F.linear(x, weight), atol=1e-4, rtol=1e-5)
    view = x.transpose(0, 1)
    torch.testing.assert_close(linear(view, weight), F.linear(view, weight), atol=1e-4, rtol=1e-5)


def test_without_onednn_f_linear_itself_is_called(monkeypatch):
    monkeypatch.setattr(module, "HAS_ONEDNN", False)
    x, weight = torch.randn(5, 64), torch.randn(96, 64)
    assert torch.equal(linear(x, weight), F.linear(x, weight))


def test_gradients_flow_to_an_input_that_requires_them():
    x, weight = torch.randn(5, 64, requires_grad=True), torch.randn(96, 64)
    linear(x, weight).sum().backward()
    assert x.grad is not None
