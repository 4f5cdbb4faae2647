"""Streams through FFmpeg's libraries (PyAV): codecs in their containers, and tempo. The sample rate
is changed by soxr.

Each instance belongs to one stream and is used by one thread at a time. Knows nothing about
requests, nor about the formats that are served.
"""

from dataclasses import dataclass, field
from fractions import Fraction
from itertools import pairwise

import av
import numpy as np
import soxr
from av.audio.stream import AudioStream
from av.filter import Graph

from app.audio.pcm import Samples, to_s16
from app.core import SAMPLE_RATE

BLOCK = 480  # samples that go into a filter graph at a time
# Samples of silence that push the end of the sound out of the filters. Measured 2026-11-30: without
# them atempo drops up to 80 ms at a speed of 0.25.
_PUSH = 4096
_FLAC_LENGTH_AT = 21  # in the file: 4 bits, then 4 bytes, of the number of samples


@dataclass(frozen=True, slots=True)
class Codec:
    """`name` and `container` are FFmpeg's names. `bit_rate` None: lossless. `delay`: the silent
    samples before the first one, about which the container tells a decoder nothing."""

    name: str
    container: str
    sample_format: str
    bit_rate: int | None = None
    container_options: dict[str, str] = field(default_factory=dict)
    delay: int = 0


# 96 kbit/s is transparent for mono speech at 24 kHz (MPEG-2 layer III). LAME puts 1,105 silent
# samples before the first sample; a stream has no place that tells a decoder about them.
MP3 = Codec(
    "libmp3lame",
    "mp3",
    "fltp",
    96_000,
    container_options={"write_xing": "0", "id3v2_version": "0"},
    delay=1105,
)
# One page per packet of 20 ms; the default holds back a second of sound. Ogg marks the first and
# the last sample, so the stream decodes to its exact length.
OPUS = Codec("libopus", "ogg", "flt", 48_000, container_options={"page_duration": "20000"})
AAC = Codec("aac", "adts", "fltp", 96_000, delay=1024)  # begins with a frame of silence
# FFmpeg leaves 8 KiB for tags that are added later, unless it is told not to.
FLAC = Codec("flac", "flac", "s16", container_options={"metadata_header_padding": "0"})
MULAW = Codec("pcm_mulaw", "mulaw", "s16")
ALAW = Codec("pcm_alaw", "alaw", "s16")


class _Sink:
    """Keeps the bytes of a container until they are taken. It cannot seek, because bytes that were
    sent cannot be changed."""

    def __init__(self) -> None:
        self._written = bytearray()

    def write(self, content: bytes) -> int:
        self._written += content
        return len(content)

    def take(self) -> bytes:
        taken = bytes(self._written)
        self._written.clear()
        return taken


class CodecEncoder:
    """Implements app.audio.pcm.Encoder. The bytes do not depend on how the samples are cut."""

    def __init__(self, codec: Codec, sample_rate: int) -> None:
        self._sink = _Sink()
        self._container = av.open(
            self._sink, "w", format=codec.container, options=dict(codec.container_options)
        )
        stream = self._container.add_stream(codec.name, sample_rate)
        assert isinstance(stream, AudioStream)
        self._stream = stream
        context = stream.codec_context
        context.layout = "mono"
        context.format = codec.sample_format
        if codec.bit_rate is not None:
            context.bit_rate = min(codec.bit_rate, 4 * sample_rate)  # low rates carry less
        self._is_int = codec.sample_format == "s16"
        self._format = codec.sample_format
        self._rate = sample_rate
        self._num_samples = 0

    def feed(self, pcm: Samples) -> bytes:
        if len(pcm):
            samples = to_s16(pcm) if self._is_int else np.clip(pcm, -1.0, 1.0).astype(np.float32)
            frame = av.AudioFrame.from_ndarray(samples[np.newaxis], self._format, "mono")
            frame.sample_rate = self._rate
            frame.pts = self._num_samples
            self._num_samples += len(pcm)
            self._container.mux(self._stream.encode(frame))
        return self._sink.take()

    def finish(self) -> bytes:
        self._container.mux(self._stream.encode(None))
        self._container.close()
        return self._sink.take()


def flac_with_true_length(body: bytes, num_samples: int) -> bytes:
    """The header of a streamed FLAC file has no length; this sets it for a whole file."""
    at = _FLAC_LENGTH_AT
    high = bytes([body[at] & 0xF0 | num_samples >> 32])
    return body[:at] + high + (num_samples & 0xFFFFFFFF).to_bytes(4, "big") + body[at + 5 :]


class Shaper:
    """Takes samples at 24 kHz and gives samples at `sample_rate`, `speed` times as fast at the same
    pitch. What comes out does not depend on how the samples are cut.

    The tempo holds back a window of about 40 ms, the change of rate 10 to 65 ms; `finish` gives the
    rest.
    """

    def __init__(self, speed: float, sample_rate: int) -> None:
        self._tempo = None if speed == 1.0 else _Tempo(speed)
        self._rate: soxr.ResampleStream | None = None
        if sample_rate != SAMPLE_RATE:  # FFmpeg's resampler aliases: 4.1 kHz at -15 dB in 8 kHz
            self._rate = soxr.ResampleStream(SAMPLE_RATE, sample_rate, 1, dtype="float32")

    def feed(self, pcm: Samples) -> Samples:
        samples = pcm if self._tempo is None else self._tempo.feed(pcm)
        return self._at_rate(samples, is_last=False)

    def finish(self) -> Samples:
        rest = np.zeros(0, np.float32) if self._tempo is None else self._tempo.finish()
        return self._at_rate(rest, is_last=True)

    def _at_rate(self, samples: Samples, *, is_last: bool) -> Samples:
        if self._rate is None or not (len(samples) or is_last):
            return samples
        changed: Samples = self._rate.resample_chunk(
            np.ascontiguousarray(samples, np.float32), last=is_last
        )
        return changed


class _Tempo:
    """Filters atempo (WSOLA) in a row, at 24 kHz. Each holds back a window and its last block. In
    all, `speed` times as few samples come out as went in."""

    def __init__(self, speed: float) -> None:
        self._speed = speed
        self._graph = Graph()
        source = self._graph.add_abuffer(
            format="flt", sample_rate=SAMPLE_RATE, layout="mono", time_base=Fraction(1, SAMPLE_RATE)
        )
        nodes = [source]
        nodes += [self._graph.add("atempo", repr(factor)) for factor in tempo_factors(speed)]
        nodes.append(self._graph.add("aformat", "sample_fmts=flt:channel_layouts=mono"))
        nodes.append(self._graph.add("abuffersink"))
        for before, after in pairwise(nodes):
            before.link_to(after)
        self._graph.configure()
        self._num_samples = 0
        self._num_given = 0

    def feed(self, pcm: Samples) -> Samples:
        parts = [self._pushed(pcm[at : at + BLOCK]) for at in range(0, len(pcm), BLOCK)]
        given = np.concatenate([np.zeros(0, np.float32), *parts])
        self._num_given += len(given)
        return given

    def _pushed(self, pcm: Samples) -> Samples:
        samples = np.ascontiguousarray(pcm, np.float32)[np.newaxis]
        frame = av.AudioFrame.from_ndarray(samples, "flt", "mono")
        frame.sample_rate = SAMPLE_RATE
        frame.pts = self._num_samples
        self._num_samples += len(pcm)
        self._graph.push(frame)
        return self._pulled()

    def finish(self) -> Samples:
        if not self._num_samples:
            return np.zeros(0, np.float32)
        num_left = round(self._num_samples / self._speed) - self._num_given
        rest = self._pushed(np.zeros(_PUSH, np.float32))
        self._graph.push(None)
        return np.concatenate([rest, self._pulled()])[: max(0, num_left)]

    def _pulled(self) -> Samples:
        parts = [np.zeros(0, np.float32)]
        while True:
            try:
                frame = self._graph.pull()
            except (av.BlockingIOError, av.EOFError):
                return np.concatenate(parts)
            assert isinstance(frame, av.AudioFrame)
            parts.append(frame.to_ndarray().reshape(-1).astype(np.float32))


def tempo_factors(speed: float) -> list[float]:
    """Factors whose product is `speed`. Each is within 0.5..2: beyond that, atempo skips samples
    instead of blending them."""
    factors = []
    while speed > 2.0:
        factors.append(2.0)
        speed /= 2.0
    while speed < 0.5:
        factors.append(0.5)
        speed /= 0.5
    return factors if speed == 1.0 else [*factors, speed]
