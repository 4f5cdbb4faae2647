"""Samples into bytes: PCM and WAV headers, and the Protocol of every encoder. Pure; knows nothing
about requests, codecs or files.

All samples are finite float32, mono, in [-1, 1]; larger values are clipped.
"""

import struct
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from app.core import SAMPLE_RATE

Samples = NDArray[np.float32]

UNKNOWN_LENGTH = 0xFFFFFFFF  # in the WAV header of a stream
WAV_HEADER_BYTES = 44


def to_s16(pcm: Samples) -> NDArray[np.int16]:
    """16 bit, rounded to nearest and clipped."""
    scaled = np.rint(np.multiply(pcm, 32767.0, dtype=np.float32))
    return np.clip(scaled, -32768, 32767).astype(np.int16)


def to_s16le(pcm: Samples) -> bytes:
    return to_s16(pcm).astype("<i2").tobytes()


def wav_header(num_samples: int | None, sample_rate: int = SAMPLE_RATE) -> bytes:
    """44 bytes of RIFF/WAVE, 16 bit mono. `num_samples` None: the length is not known yet."""
    num_bytes = UNKNOWN_LENGTH if num_samples is None else num_samples * 2
    riff_bytes = min(num_bytes + WAV_HEADER_BYTES - 8, UNKNOWN_LENGTH)
    riff = struct.pack("<4sI4s", b"RIFF", riff_bytes, b"WAVE")
    fmt = struct.pack("<4sIHHIIHH", b"fmt ", 16, 1, 1, sample_rate, sample_rate * 2, 2, 16)
    return riff + fmt + struct.pack("<4sI", b"data", num_bytes)


class Encoder(Protocol):
    """One stream. The file is all that `feed` returns, then all that `finish` returns."""

    def feed(self, pcm: Samples) -> bytes: ...

    def finish(self) -> bytes:
        """The bytes that are still held back. Called once, last."""
        ...


class PcmEncoder:
    def feed(self, pcm: Samples) -> bytes:
        return to_s16le(pcm)

    def finish(self) -> bytes:
        return b""


class WavEncoder:
    """A header of unknown length, then PCM."""

    def __init__(self, sample_rate: int = SAMPLE_RATE) -> None:
        self._header = wav_header(None, sample_rate)

    def feed(self, pcm: Samples) -> bytes:
        header, self._header = self._header, b""
        return header + to_s16le(pcm)

    def finish(self) -> bytes:
        return self._header
