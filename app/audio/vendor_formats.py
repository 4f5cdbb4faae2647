"""The audio formats that other vendors' protocols name, beside those of app/audio/formats.py: raw
32-bit floats, WAV around each raw encoding, codecs at a given bit rate, and a gain. Knows nothing
about protocols.

A function that makes one raises BadRequest for a sample rate that is not made."""

import struct
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Literal

import numpy as np

from app.audio.codecs import ALAW, MP3, MULAW, OPUS, Codec, CodecEncoder
from app.audio.formats import FORMATS, SAMPLE_RATES, AudioFormat, FormatName
from app.audio.pcm import UNKNOWN_LENGTH, Encoder, PcmEncoder, Samples
from app.errors import BadRequest

RawEncoding = Literal["pcm_s16le", "pcm_f32le", "pcm_mulaw", "pcm_alaw"]
SILENCE_S = 0.02


@dataclass(frozen=True, slots=True)
class VendorFormat:
    """`name`: the format of app/audio/formats.py with the same rates. `silence`: 20 ms of it, for
    formats without a state; empty for others."""

    name: FormatName
    audio: AudioFormat
    sample_rate: int
    silence: bytes = b""

    def louder(self, gain: float) -> "VendorFormat":
        if gain == 1.0:
            return self
        encoder = partial(_Louder, self.audio.encoder, gain)
        return replace(self, audio=replace(self.audio, encoder=encoder))


@dataclass(frozen=True, slots=True)
class _Raw:
    name: FormatName
    encoder: Callable[[int], Encoder]
    zero: bytes  # a sample without sound
    wav_tag: int
    is_light: bool


class FloatEncoder:
    """Implements app.audio.pcm.Encoder: 32-bit floats, little-endian."""

    def feed(self, pcm: Samples) -> bytes:
        return np.clip(pcm, -1.0, 1.0).astype("<f4").tobytes()

    def finish(self) -> bytes:
        return b""


def _s16(sample_rate: int) -> Encoder:
    return PcmEncoder()


def _f32(sample_rate: int) -> Encoder:
    return FloatEncoder()


def _coded(codec: Codec, sample_rate: int) -> Encoder:
    return CodecEncoder(codec, sample_rate)


_RAW: dict[RawEncoding, _Raw] = {
    "pcm_s16le": _Raw("pcm", _s16, b"\0\0", 1, is_light=True),
    "pcm_f32le": _Raw("pcm", _f32, b"\0\0\0\0", 3, is_light=True),
    "pcm_mulaw": _Raw("mulaw", partial(_coded, MULAW), b"\xff", 7, is_light=False),
    "pcm_alaw": _Raw("alaw", partial(_coded, ALAW), b"\xd5", 6, is_light=False),
}


def raw_format(encoding: RawEncoding, sample_rate: int) -> VendorFormat:
    _check_rate(sample_rate)
    raw = _RAW[encoding]
    own = FORMATS[raw.name]
    audio = replace(own, encoder=raw.encoder, is_light=raw.is_light)
    return VendorFormat(raw.name, audio, sample_rate, raw.zero * round(sample_rate * SILENCE_S))


def _check_rate(sample_rate: int) -> None:
    if sample_rate not in SAMPLE_RATES:
        allowed = ", ".join(map(str, SAMPLE_RATES))
        raise BadRequest(f"sample_rate: the rates are {allowed}", param="sample_rate")


def wav_format(encoding: RawEncoding, sample_rate: int) -> VendorFormat:
    """A WAV file of unknown length, as a stream has it."""
    _check_rate(sample_rate)
    raw = _RAW[encoding]
    audio = AudioFormat(FORMATS["wav"].content_type, partial(_WavOf, raw), is_light=raw.is_light)
    return VendorFormat("wav", audio, sample_rate)


def coded_format(name: Literal["mp3", "opus"], sample_rate: int, bit_rate: int) -> VendorFormat:
    _check_rate(sample_rate)
    codec = replace(MP3 if name == "mp3" else OPUS, bit_rate=bit_rate)
    return VendorFormat(name, replace(FORMATS[name], encoder=partial(_coded, codec)), sample_rate)


class _WavOf:
    def __init__(self, raw: _Raw, sample_rate: int) -> None:
        self._encoder = raw.encoder(sample_rate)
        width = len(raw.zero)
        fmt = struct.pack(
            "<HHIIHH", raw.wav_tag, 1, sample_rate, sample_rate * width, width, 8 * width
        )
        self._header = (
            struct.pack("<4sI4s4sI", b"RIFF", UNKNOWN_LENGTH, b"WAVE", b"fmt ", len(fmt))
            + fmt
            + struct.pack("<4sI", b"data", UNKNOWN_LENGTH)
        )

    def feed(self, pcm: Samples) -> bytes:
        header, self._header = self._header, b""
        return header + self._encoder.feed(pcm)

    def finish(self) -> bytes:
        return self._encoder.finish()


class _Louder:
    """The encoder clips what is louder than full scale."""

    def __init__(self, encoder: Callable[[int], Encoder], gain: float, sample_rate: int) -> None:
        self._encoder = encoder(sample_rate)
        self._gain = gain

    def feed(self, pcm: Samples) -> bytes:
        return self._encoder.feed((pcm * np.float32(self._gain)).astype(np.float32))

    def finish(self) -> bytes:
        return self._encoder.finish()
