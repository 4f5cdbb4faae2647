"""Random bits as a function: word number n of a stream is SplitMix64 at that counter.

The same stream and number give the same bits in any order, on any device and in any batch. All of
the arithmetic is on 64-bit integers, and int64 wraps in the same way. Knows nothing about the
numbers that are drawn from the bits.
"""

import hashlib

from torch import Tensor

_GOLDEN = 0x9E3779B97F4A7C15
_MIX_1 = 0xBF58476D1CE4E5B9
_MIX_2 = 0x94D049BB133111EB


def stream_of(content: bytes) -> int:
    """The start, as int64, of the stream that belongs to `content`."""
    digest = hashlib.blake2b(content, digest_size=8).digest()
    return int.from_bytes(digest, "little", signed=True)


def words(starts: Tensor, numbers: Tensor) -> Tensor:
    """int64, broadcast: 64 random bits for each number of each stream."""
    z = starts + numbers * _signed(_GOLDEN)
    z = (z ^ shift_right(z, 30)) * _signed(_MIX_1)
    z = (z ^ shift_right(z, 27)) * _signed(_MIX_2)
    return z ^ shift_right(z, 31)


def shift_right(z: Tensor, bits: int) -> Tensor:
    """A logical shift. The shift of int64 itself would copy the sign bit."""
    return (z >> bits) & ((1 << (64 - bits)) - 1)


def _signed(value: int) -> int:
    return value - (1 << 64) if value >= 1 << 63 else value
