"""Noise as a pure function of (seed, segment, step, id).

The draw of codec id v in step k comes from word number k * vocab + v + 1 of the stream of
(seed, segment). So a sequence's draws depend neither on the rest of the batch nor on the device.
The logarithm is computed in float64 and rounded to float32: rounding hides the last bit, which
differs between platforms. Knows nothing about models or sampling.
"""

import torch
from torch import Tensor

from app.engine.splitmix import shift_right, stream_of, words

_UNIFORM_BITS = 52  # k + 1/2 is exact in float64, and a uniform draw is never 0 or 1


def stream_start(seed: int, segment: int) -> int:
    """The start of a segment's stream, as int64."""
    return stream_of(f"{seed}:{segment}".encode())


def exponential(starts: Tensor, steps: Tensor, vocab: int) -> Tensor:
    """Exponential(1) draws for one step of each row.

    starts, steps: (S,) int64. Returns (S, vocab) float32, each in (0, 37).
    """
    ids = torch.arange(1, vocab + 1, device=starts.device)
    bits = shift_right(words(starts[:, None], steps[:, None] * vocab + ids), 64 - _UNIFORM_BITS)
    uniform = (bits.to(torch.float64) + 0.5) * 2.0**-_UNIFORM_BITS
    return -torch.log(uniform).to(torch.float32)
