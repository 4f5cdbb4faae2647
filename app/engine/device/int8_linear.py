"""x @ weight.T with the weight in int8, on a CPU: a quarter of the bytes that a step must read.

A weight has one scale per output channel. An input has one scale per row, its own largest value. So
a row's result does not depend on the rows beside it, down to the last bit: the products are summed
as integers, and all else is computed row by row. Torch's dynamic quantisation has one scale for the
whole input: a loud row takes the precision of its neighbours away.

FBGEMM, which is part of torch, computes the products. A processor with AVX-512 VNNI sums them in 32
bits. Any other processor adds pairs of them in 16 bits, which overflow where an input has 8 bits.
There an input has 7. `num_levels` finds out which it is by a product that overflows. FBGEMM packs
torch's quantised tensors. Torch 2.14.1 gives the same results, with a warning that a later release
will not make such tensors (2026-11-30).

Milliseconds of one core for the linear layers of a step of full-size turbo (24 blocks of width
1024; AMD EPYC with AVX-512 VNNI, torch 2.11, 2026-11), and the error of one layer:

    rows                     1     8    16   error
    float32                 72   139   188
    here, input of 7 bits   18    22    35   1.8 %

Knows nothing about models.
"""

from functools import cache
from typing import Any

import torch
from torch import Tensor

from app.errors import ConfigError

_MOST = 127  # the largest value of a weight
_LEAST_SCALE = 1e-30  # of a row or a channel of zeros
HAS_FBGEMM = "fbgemm" in torch.backends.quantized.supported_engines


class Int8Linear:
    """A linear layer. Its inputs and results are float32."""

    def __init__(self, weight: Tensor, bias: Tensor | None = None) -> None:
        """weight: (out, in) of any floating type; bias: (out,). The weight itself is not kept."""
        self._num_out = len(weight)
        self._packed = _pack(weight)
        # A copy: all pages of a file stay in memory as long as one tensor is in them.
        self._bias = torch.zeros(self._num_out) if bias is None else bias.float().clone()
        self._levels = num_levels()

    def __call__(self, x: Tensor) -> Tensor:
        """(..., in) -> (..., out), contiguous."""
        if not x.numel():
            return x.new_empty(*x.shape[:-1], self._num_out)
        rows = x if x.ndim == 2 else x.flatten(0, -2)
        # Two calls, but vectorised: vector_norm takes ten times as long, 88 µs for 8 x 4096.
        largest = rows.abs().amax(-1, keepdim=True).clamp_(min=_LEAST_SCALE)
        product = _product(rows / largest, self._packed, self._levels)
        out = torch.addcmul(self._bias, product, largest)
        return out if x.ndim == 2 else out.view(*x.shape[:-1], self._num_out)


def check_int8(setting: str, device: torch.device) -> None:
    """Raises ConfigError, which names the setting, where torch has no kernels for int8."""
    if device.type != "cpu":
        raise ConfigError(f"{setting}: int8 runs on a CPU, and this is {device.type}")
    if not HAS_FBGEMM:
        raise ConfigError(f"{setting}: int8 needs FBGEMM, which torch has for x86 alone")


@cache
def num_levels() -> int:
    """The largest value of an input on this processor: 127 where products are summed in 32 bits,
    63 where a pair of larger ones overflows."""
    weight, x = torch.full((16, 64), 1.0), torch.full((1, 64), 1.0)
    product = _product(x, _pack(weight), _MOST)
    return _MOST if torch.allclose(product, x @ weight.T, rtol=1e-3) else _MOST // 2


def _pack(weight: Tensor) -> Any:
    """FBGEMM's own object. Each row of the weight is rounded to a multiple of its scale."""
    weight = weight.float()
    scale = weight.abs().amax(1).clamp_(min=_LEAST_SCALE) / _MOST
    rounded = (weight / scale[:, None]).round_().to(torch.int8)
    zeros = torch.zeros(len(weight), dtype=torch.int64)
    quantized = torch._make_per_channel_quantized_tensor(rounded, scale.double(), zeros, 0)
    engine = torch.backends.quantized.engine
    torch.backends.quantized.engine = "fbgemm"  # oneDNN's packed weights take no float32
    try:
        return torch.ops.quantized.linear_prepack(quantized, None)
    finally:
        torch.backends.quantized.engine = engine


def _product(x: Tensor, packed: Any, levels: int) -> Tensor:
    """x: (N, in) within -1 .. 1; it is rounded to multiples of 1 / levels."""
    run = torch.ops.quantized.linear_with_input_q_dq_qweight_dq_output_fp32
    product: Tensor = run(x, 1 / levels, levels + 1, packed)
    return product
