"""Samples into bytes: PCM, WAV headers, streaming encoders. Pure; knows nothing about requests.

Input everywhere: finite float32, mono, [-1, 1] (beyond it clips), 24 kHz unless told otherwise.
"""

import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import av
import numpy as np
from numpy.typing import NDArray

from app.core import SAMPLE_RATE

Samples = NDArray[np.float32]

MP3_BITS_PER_S = 96_000  # transparent for mono speech at 24 kHz (MPEG-2 layer III)
UNKNOWN_LENGTH = 0xFFFFFFFF  # what a WAV header says while the stream is still growing
_HEADER_BYTES = 44


def to_s16le(pcm: Samples) -> bytes:
    """Little-endian 16 bit, rounded to nearest, clipped."""
    scaled = np.rint(np.multiply(pcm, 32767.0, dtype=np.float32))
    return np.clip(scaled, -32768, 32767).astype("<i2").tobytes()


def wav_header(num_samples: int | None, sample_rate: int = SAMPLE_RATE) -> bytes:
    """44 bytes of RIFF/WAVE, 16 bit mono. None: the length is not known yet."""
    num_bytes = UNKNOWN_LENGTH if num_samples is None else num_samples * 2
    riff_bytes = min(num_bytes + _HEADER_BYTES - 8, UNKNOWN_LENGTH)
    riff = struct.pack("<4sI4s", b"RIFF", riff_bytes, b"WAVE")
    fmt = struct.pack("<4sIHHIIHH", b"fmt ", 16, 1, 1, sample_rate, sample_rate * 2, 2, 16)
    return riff + fmt + struct.pack("<4sI", b"data", num_bytes)


class Encoder(Protocol):
    """One stream. The concatenation of all `feed` and the `finish` is the file."""

    def feed(self, pcm: Samples) -> bytes: ...

    def finish(self) -> bytes:
        """What is still held back. Called once, last."""
        ...


class PcmEncoder:
    def feed(self, pcm: Samples) -> bytes:
        return to_s16le(pcm)

    def finish(self) -> bytes:
        return b""


class WavEncoder:
    """A header of unknown length, then PCM."""

    def __init__(self) -> None:
        self._header = wav_header(None)

    def feed(self, pcm: Samples) -> bytes:
        header, self._header = self._header, b""
        return header + to_s16le(pcm)

    def finish(self) -> bytes:
        return self._header


class Mp3Encoder:
    """Bare frames of 24 ms, each decodable as soon as it is there. LAME's delay puts 1,105 silent
    samples before the first one; a bare stream has no place to tell a decoder so."""

    def __init__(self) -> None:
        codec = av.CodecContext.create("libmp3lame", "w")
        codec.sample_rate = SAMPLE_RATE
        codec.layout = "mono"
        codec.format = "fltp"
        codec.bit_rate = MP3_BITS_PER_S
        self._codec = codec

    def feed(self, pcm: Samples) -> bytes:
        if not len(pcm):
            return b""
        frame = av.AudioFrame.from_ndarray(
            np.ascontiguousarray(pcm, np.float32)[np.newaxis], format="fltp", layout="mono"
        )
        frame.sample_rate = SAMPLE_RATE
        return b"".join(bytes(packet) for packet in self._codec.encode(frame))

    def finish(self) -> bytes:
        return b"".join(bytes(packet) for packet in self._codec.encode(None))


def _unchanged(body: bytes) -> bytes:
    return body


def _with_true_length(body: bytes) -> bytes:
    return wav_header((len(body) - _HEADER_BYTES) // 2) + body[_HEADER_BYTES:]


@dataclass(frozen=True, slots=True)
class AudioFormat:
    content_type: str
    encoder: Callable[[], Encoder]
    seal: Callable[[bytes], bytes] = _unchanged  # a collected stream into the file it should be


FORMATS = {
    "mp3": AudioFormat("audio/mpeg", Mp3Encoder),
    "wav": AudioFormat("audio/wav", WavEncoder, _with_true_length),
    "pcm": AudioFormat("audio/pcm", PcmEncoder),
}
