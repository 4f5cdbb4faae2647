"""Random bits as a function: word number n of a stream is SplitMix64's at that counter.

The same stream and number give the same bits in any order, on any device, in any batch: all of it
is 64-bit integer arithmetic, which wraps alike in int64. Knows nothing about what is drawn.
"""

import hashlib

from torch import Tensor

_GOLDEN = 0x9E3779B97F4A7C15
_MIX_1 = 0xBF58476D1CE4E5B9
_MIX_2 = 0x94D049BB133111EB


def stream_of(content: bytes) -> int:
    """Where the stream of whatever has this content starts, as int64."""
    digest = hashlib.blake2b(content, digest_size=8).digest()
    return int.from_bytes(digest, "little", signed=True)


def words(starts: Tensor, numbers: Tensor) -> Tensor:
    """int64, broadcast: 64 random bits for each number of each stream."""
    z = starts + numbers * _signed(_GOLDEN)
    z = (z ^ shift_right(z, 30)) * _signed(_MIX_1)
    z = (z ^ shift_right(z, 27)) * _signed(_MIX_2)
    return z ^ shift_right(z, 31)


def shift_right(z: Tensor, bits: int) -> Tensor:
    """Logical: int64's own shift would copy the sign in."""
    return (z >> bits) & ((1 << (64 - bits)) - 1)


def _signed(value: int) -> int:
    return value - (1 << 64) if value >= 1 << 63 else value
