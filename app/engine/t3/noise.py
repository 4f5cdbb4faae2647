"""Noise as a pure function of (seed, segment, step, id).

The draw of codec id v in step k is draw number k * vocab + v of the SplitMix64 stream that starts
at the hash of (seed, segment). So a sequence draws the same whatever runs beside it, on whatever
device. Everything is integer arithmetic but the last logarithm, which is taken in float64 and
rounded to float32, where the last bit of a platform's logarithm no longer shows. Knows nothing
about models or sampling.
"""

import hashlib

import torch
from torch import Tensor

_GOLDEN = 0x9E3779B97F4A7C15
_MIX_1 = 0xBF58476D1CE4E5B9
_MIX_2 = 0x94D049BB133111EB
_UNIFORM_BITS = 52  # so that k + 1/2 is exact in float64, and a uniform draw is never 0 or 1


def stream_start(seed: int, segment: int) -> int:
    """Where the stream of a segment starts, as int64."""
    name = f"{seed}:{segment}".encode()
    return int.from_bytes(hashlib.blake2b(name, digest_size=8).digest(), "little", signed=True)


def exponential(starts: Tensor, steps: Tensor, vocab: int) -> Tensor:
    """Exponential(1) draws for one step of each row.

    starts, steps: (S,) int64. Returns (S, vocab) float32, each in (0, 37).
    """
    ids = torch.arange(1, vocab + 1, device=starts.device)
    counters = starts[:, None] + (steps[:, None] * vocab + ids) * _signed(_GOLDEN)
    bits = _shift_right(_mix(counters), 64 - _UNIFORM_BITS)
    uniform = (bits.to(torch.float64) + 0.5) * 2.0**-_UNIFORM_BITS
    return -torch.log(uniform).to(torch.float32)


def _mix(z: Tensor) -> Tensor:
    """SplitMix64's finaliser; int64 arithmetic wraps as uint64's does."""
    z = (z ^ _shift_right(z, 30)) * _signed(_MIX_1)
    z = (z ^ _shift_right(z, 27)) * _signed(_MIX_2)
    return z ^ _shift_right(z, 31)


def _shift_right(z: Tensor, bits: int) -> Tensor:
    """Logical: int64's own shift would copy the sign in."""
    return (z >> bits) & ((1 << (64 - bits)) - 1)


def _signed(value: int) -> int:
    return value - (1 << 64) if value >= 1 << 63 else value
