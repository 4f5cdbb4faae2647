"""x @ weight.T, on a CPU by whichever of torch's libraries is fastest for that many rows.

`F.linear` is MKL's in float32, which takes its AVX2 way on AMD; oneDNN's takes AVX-512 on every
CPU that has it, but is slow where an awkward number of rows meets a large weight, and keeps code
for every number it meets: more than 15 are padded to a multiple of 16. Milliseconds for the linear
layers of eight Llama blocks of T3 (512 MiB of weights; reading them takes 20), float32, two cores
(AMD EPYC, torch 2.11, 2026-11):

    rows                          1     2     4     8    12    16    32    48    64   128   256
    F.linear                     35    70    71    66    92    93   131   140   186   322   503
    oneDNN, whole                20    20    33    35    45   165   190   224   106   178   341
    oneDNN, by parts of weight   23    27    29    30    36   172   196   222
    oneDNN, weight on the left   49    48    46    49    48    47    60    82    98   188   365

Without AVX-512, MKL with the weight on the left is best for 2 to 4 rows (six GPT-2 blocks on one
such core: 30, 39 and 33 ms, where oneDNN takes 44, 50 and 47); from 5 on nothing is better than
what is here.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

_WHOLE = 3  # rows up to which oneDNN is fast as it is
_PARTS = 15  # up to which it is by parts of the weight; 1,024 lines of it, some MiB
_LEFT = 63  # up to which the weight is on the left
_PART = 1024
_MULTIPLE = 16
# In bfloat16 oneDNN is F.linear's own; with AMX 4 to 48 rows are 1.5 times as fast with the weight
# on the left (Sapphire Rapids, 2026-07), and slower without.
_AMX_ROWS = range(4, 49)
_HAS_AMX = bool(torch.cpu.get_capabilities().get("amx_bf16", False))
_FEW_ROWS = range(2, 5)  # MKL's, on the left, without AVX-512
_HAS_AVX512 = bool(torch.cpu.get_capabilities().get("avx512_f", False))
_HAS_ONEDNN = torch.backends.mkldnn.is_available()  # type: ignore[no-untyped-call]


def linear(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """x: (..., in); weight: (out, in). Returns (..., out), contiguous."""
    rows = x.flatten(0, -2)
    if x.device.type != "cpu" or not _HAS_ONEDNN or x.requires_grad or len(rows) == 0:
        return F.linear(x, weight, bias)
    if x.dtype is torch.float32:
        product = _in_float32(rows, weight, bias)
    elif _HAS_AMX and len(rows) in _AMX_ROWS:
        product = _on_the_left(rows, weight, bias)
    else:
        product = F.linear(rows, weight, bias)
    return product.view(*x.shape[:-1], len(weight))


def applied(layer: nn.Linear, x: Tensor) -> Tensor:
    """What the layer itself would return."""
    return linear(x, layer.weight, layer.bias)


def _in_float32(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    num_rows = len(x)
    if not _HAS_AVX512 and num_rows in _FEW_ROWS:
        return _on_the_left(x, weight, bias)
    if num_rows <= _WHOLE:
        return _onednn(x, weight, bias)
    if num_rows <= _PARTS:
        out = x.new_empty(num_rows, len(weight))
        for start in range(0, len(weight), _PART):
            part = slice(start, start + _PART)
            out[:, part] = _onednn(x, weight[part], None if bias is None else bias[part])
        return out
    padded = _padded(x, -num_rows % _MULTIPLE)
    if num_rows > _LEFT:
        return _onednn(padded, weight, bias)[:num_rows]
    return _plus(_onednn(weight, padded, None).t()[:num_rows].contiguous(), bias)


def _on_the_left(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    return _plus((weight @ x.t()).t().contiguous(), bias)


def _padded(x: Tensor, num_missing: int) -> Tensor:
    """F.pad would write all of it twice."""
    if not num_missing:
        return x
    padded = x.new_empty(len(x) + num_missing, x.shape[1])
    padded[: len(x)] = x
    padded[len(x) :] = 0
    return padded


def _onednn(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """The operator that torch.compile uses for the same."""
    product: Tensor = torch.ops.mkldnn._linear_pointwise(x, weight, bias, "none", [], "")
    return product


def _plus(product: Tensor, bias: Tensor | None) -> Tensor:
    return product if bias is None else product.add_(bias)
