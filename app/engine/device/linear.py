"""x @ weight.T, on a CPU by the fastest of torch's libraries for that number of rows.

In float32 `F.linear` is MKL's, which uses AVX2 on AMD. oneDNN uses AVX-512 on every CPU that has
it. oneDNN is slow for some numbers of rows with a large weight, and keeps compiled code for every
number of rows: more than 15 rows are padded to a multiple of 16. Milliseconds for the linear layers
of eight Llama blocks of T3 (512 MiB of weights; reading them takes 20), float32, two cores (AMD
EPYC, torch 2.11, 2026-11):

    rows                          1     2     4     8    12    16    32    48    64   128   256
    F.linear                     35    70    71    66    92    93   131   140   186   322   503
    oneDNN, whole                20    20    33    35    45   165   190   224   106   178   341
    oneDNN, by parts of weight   23    27    29    30    36   172   196   222
    oneDNN, weight on the left   49    48    46    49    48    47    60    82    98   188   365

Weights of up to 8 MiB stay in the processor's cache and need no parts. All weights of a step of the
embedded model's T3 (20 MiB, the largest 6.4), one core, milliseconds:

    rows                          1     2     4     6     8
    oneDNN, whole               1.7   1.3   2.0   2.5   2.8
    oneDNN, by parts of weight  2.2   2.0   2.7   2.7   2.8
    MKL, weight on the left     2.0   1.2   1.6   2.6   2.9

Without AVX-512, MKL with the weight on the left is best for 2 to 4 rows (six GPT-2 blocks on one
such core: 30, 39 and 33 ms, where oneDNN takes 44, 50 and 47). From 5 rows on, no way is faster
than the ones here. Knows nothing about models.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

_MAX_ROWS_WHOLE = 3  # oneDNN is fast with the whole weight
_MAX_ROWS_BY_PARTS = 15  # oneDNN is fast by parts of the weight
_MAX_ROWS_ON_LEFT = 63  # oneDNN is fast with the weight on the left
_PART_LINES = 1024  # of the weight: some MiB
_SMALL_BYTES = 8 * 2**20  # of a weight that stays in the processor's cache
_ROW_MULTIPLE = 16
# In bfloat16 `F.linear` is oneDNN's already. With AMX, 4 to 48 rows are 1.5 times as fast with the
# weight on the left (Sapphire Rapids, 2026-07); without AMX they are slower.
_AMX_ROWS = range(4, 49)
HAS_AMX = bool(torch.cpu.get_capabilities().get("amx_bf16", False))
_FEW_ROWS = range(2, 5)  # by MKL with the weight on the left: without AVX-512, or a small weight
HAS_AVX512 = bool(torch.cpu.get_capabilities().get("avx512_f", False))
HAS_ONEDNN = torch.backends.mkldnn.is_available()  # type: ignore[no-untyped-call]


def linear(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """x: (..., in); weight: (out, in). Returns (..., out), contiguous."""
    rows = x.flatten(0, -2)
    if x.device.type != "cpu" or not HAS_ONEDNN or x.requires_grad or len(rows) == 0:
        return F.linear(x, weight, bias)
    if x.dtype is torch.float32:
        product = _in_float32(rows, weight, bias)
    elif HAS_AMX and len(rows) in _AMX_ROWS:
        product = _weight_on_left(rows, weight, bias)
    else:
        product = F.linear(rows, weight, bias)
    return product.view(*x.shape[:-1], len(weight))


def apply_linear(layer: nn.Linear, x: Tensor) -> Tensor:
    """The result of the layer itself."""
    return linear(x, layer.weight, layer.bias)


def _in_float32(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    num_rows = len(x)
    is_small = weight.nbytes <= _SMALL_BYTES
    if num_rows in _FEW_ROWS and (is_small or not HAS_AVX512):
        return _weight_on_left(x, weight, bias)
    if num_rows <= (_MAX_ROWS_BY_PARTS if is_small else _MAX_ROWS_WHOLE):
        return _onednn(x, weight, bias)
    if num_rows <= _MAX_ROWS_BY_PARTS:
        out = x.new_empty(num_rows, len(weight))
        for start in range(0, len(weight), _PART_LINES):
            part = slice(start, start + _PART_LINES)
            out[:, part] = _onednn(x, weight[part], None if bias is None else bias[part])
        return out
    padded = _padded(x, -num_rows % _ROW_MULTIPLE)
    if num_rows > _MAX_ROWS_ON_LEFT:
        return _onednn(padded, weight, bias)[:num_rows]
    return _add_bias(_onednn(weight, padded, None).t()[:num_rows].contiguous(), bias)


def _weight_on_left(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    return _add_bias((weight @ x.t()).t().contiguous(), bias)


def _padded(x: Tensor, num_missing: int) -> Tensor:
    """`F.pad` would write every value twice."""
    if not num_missing:
        return x
    padded = x.new_empty(len(x) + num_missing, x.shape[1])
    padded[: len(x)] = x
    padded[len(x) :] = 0
    return padded


def _onednn(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """The operator that torch.compile uses for a linear layer."""
    product: Tensor = torch.ops.mkldnn._linear_pointwise(x, weight, bias, "none", [], "")
    return product


def _add_bias(product: Tensor, bias: Tensor | None) -> Tensor:
    return product if bias is None else product.add_(bias)
