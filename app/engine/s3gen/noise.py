"""Noise as a function: the same key and index give the same numbers.

This holds on every device (to the rounding of its sine and logarithm), in any order, and for any
number of values at once. Box-Muller over SplitMix64: a word of 64 bits gives two uniforms, two
uniforms give two normals. Computed on the device that uses it. Knows nothing about its use.
"""

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from app.engine.device.transfer import upload
from app.engine.splitmix import shift_right, stream_of, words

NoiseKey = int  # the start of a stream, as int64
_LOW_32 = (1 << 32) - 1


def noise_key(*parts: bytes | str | int) -> NoiseKey:
    """The key of the noise that belongs to `parts`."""
    content = b""
    for part in parts:
        own = part if isinstance(part, bytes) else f"{type(part).__name__}:{part}".encode()
        content += len(own).to_bytes(8, "little") + own
    return stream_of(content)


def normals(
    keys: Sequence[NoiseKey], starts: Sequence[int], count: int, width: int, device: torch.device
) -> Tensor:
    """(len(keys), count, width) float32. Each key has an endless (rows, width) table of standard
    normals: `count` rows of each, from its start on. Raises ValueError if start * width is odd."""
    if any(start * width % 2 for start in starts):
        raise ValueError(f"a row of {width} cannot begin at an odd index")
    num_words = -(-count * width // 2)
    first = [start * width // 2 for start in starts]
    radius, turns = _uniforms(keys, first, num_words, device)
    radius = torch.sqrt(-2.0 * torch.log(radius))
    angle = 2 * math.pi * turns
    pairs = torch.stack([radius * torch.cos(angle), radius * torch.sin(angle)], -1)
    return pairs.flatten(1)[:, : count * width].view(len(keys), count, width)


def uniforms(key: NoiseKey, count: int, device: torch.device) -> Tensor:
    """(count,) in (0, 1]."""
    return torch.stack(_uniforms([key], [0], -(-count // 2), device), -1).flatten()[:count]


def _uniforms(
    keys: Sequence[NoiseKey], first: Sequence[int], num_words: int, device: torch.device
) -> tuple[Tensor, Tensor]:
    """Two for each word, each (rows, num_words) float32 in (0, 1]."""
    start, before = upload([keys, first], torch.int64, device)[:, :, None]
    bits = words(start, before + torch.arange(1, num_words + 1, device=device))
    halves = shift_right(bits, 32), bits & _LOW_32
    upper, lower = ((half.float() + 1) * 2.0**-32 for half in halves)
    return upper, lower
