"""The audio formats that are served, and a stream of samples in one of them. Knows nothing about
requests or transports."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Literal

from app.audio.codecs import AAC, ALAW, FLAC, MP3, MULAW, OPUS, Codec, CodecEncoder, Shaper
from app.audio.codecs import flac_with_true_length as _flac_with_true_length
from app.audio.pcm import (
    WAV_HEADER_BYTES,
    Encoder,
    PcmEncoder,
    Samples,
    WavEncoder,
    wav_header,
)
from app.core import SAMPLE_RATE

FormatName = Literal["mp3", "opus", "aac", "flac", "wav", "pcm", "mulaw", "alaw"]

SAMPLE_RATES = (8000, 11_025, 12_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000)
TELEPHONE_RATE = 8000

# From a collected stream, its number of samples and their rate: the file with its true length.
Seal = Callable[[bytes, int, int], bytes]


def _unchanged(body: bytes, num_samples: int, sample_rate: int) -> bytes:
    return body


def _sealed_wav(body: bytes, num_samples: int, sample_rate: int) -> bytes:
    return wav_header(num_samples, sample_rate) + body[WAV_HEADER_BYTES:]


def _sealed_flac(body: bytes, num_samples: int, sample_rate: int) -> bytes:
    return _flac_with_true_length(body, num_samples)


@dataclass(frozen=True, slots=True)
class AudioFormat:
    content_type: str
    encoder: Callable[[int], Encoder]  # for a sample rate
    seal: Seal = _unchanged
    sample_rates: tuple[int, ...] = SAMPLE_RATES
    default_rate: int = SAMPLE_RATE
    is_light: bool = False  # encoding costs less than a change of thread
    delay: int = 0  # silent samples that a decoder gives before the first sample

    def delay_s(self, sample_rate: int) -> float:
        return self.delay / sample_rate


def _pcm(sample_rate: int) -> PcmEncoder:
    return PcmEncoder()


def _coded(content_type: str, codec: Codec, seal: Seal = _unchanged) -> AudioFormat:
    return AudioFormat(content_type, partial(CodecEncoder, codec), seal, delay=codec.delay)


def _telephone(content_type: str, codec: Codec) -> AudioFormat:
    return AudioFormat(content_type, partial(CodecEncoder, codec), default_rate=TELEPHONE_RATE)


FORMATS: dict[FormatName, AudioFormat] = {
    "mp3": _coded("audio/mpeg", MP3),
    "opus": AudioFormat(  # browsers say that they cannot play audio/opus, which OpenAI sends
        "audio/ogg; codecs=opus",
        partial(CodecEncoder, OPUS),
        sample_rates=(8000, 12_000, 16_000, 24_000, 48_000),
    ),
    "aac": _coded("audio/aac", AAC),
    "flac": _coded("audio/flac", FLAC, _sealed_flac),
    "wav": AudioFormat("audio/wav", WavEncoder, _sealed_wav, is_light=True),
    "pcm": AudioFormat("audio/pcm", _pcm, is_light=True),
    "mulaw": _telephone("audio/PCMU", MULAW),
    "alaw": _telephone("audio/PCMA", ALAW),
}


class AudioStream:
    """Shapes and encodes the model's samples. Used by one thread at a time."""

    def __init__(self, audio_format: AudioFormat, sample_rate: int, speed: float = 1.0) -> None:
        is_plain = speed == 1.0 and sample_rate == SAMPLE_RATE
        self._shaper = None if is_plain else Shaper(speed, sample_rate)
        self._encoder = audio_format.encoder(sample_rate)
        self.is_light = audio_format.is_light and is_plain
        self.sample_rate = sample_rate
        self.num_samples = 0  # samples that went into the encoder, at its rate

    @property
    def audio_s(self) -> float:
        """Seconds of sound that went into the encoder."""
        return self.num_samples / self.sample_rate

    def feed(self, pcm: Samples) -> bytes:
        shaped = pcm if self._shaper is None else self._shaper.feed(pcm)
        self.num_samples += len(shaped)
        return self._encoder.feed(shaped) if len(shaped) else b""

    def finish(self) -> bytes:
        rest = b""
        if self._shaper is not None and len(last := self._shaper.finish()):
            self.num_samples += len(last)
            rest = self._encoder.feed(last)
        return rest + self._encoder.finish()
