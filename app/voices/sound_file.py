"""The samples of a sound file in any container that people send, by FFmpeg's libraries (PyAV).

Only FFmpeg's reader of the container that the file is, and decoders of sound, are used: never a
playlist, a picture, another file or a network. A file may still crash them: every file is read in a
process of its own (decoder_process.py). Knows nothing about speech or voices.
"""

import io
from collections.abc import Iterator
from contextlib import suppress
from typing import Any, NamedTuple

import av
import numpy as np
import soxr
from av.audio.codeccontext import AudioCodecContext
from av.audio.frame import AudioFrame
from av.audio.stream import AudioStream
from av.container import InputContainer
from numpy.typing import NDArray

from app.voices.containers import NAMES, caf_channels, container_of, has_broken_frames, without_tag
from app.voices.speech_activity import one_channel
from app.voices.unusable_sound import UnusableSound

MAX_CHANNELS = 2
MAX_PACKETS = 300_000
_CODECS = (
    *("aac", "aac_latm", "alac", "amrnb", "amrwb", "flac", "mp3", "mp3float", "opus", "vorbis"),
    *("adpcm_ima_wav", "adpcm_ms", "adpcm_ima_qt", "gsm_ms", "pcm_alaw", "pcm_mulaw", "pcm_u8"),
    *("pcm_s8", "pcm_s16le", "pcm_s16be", "pcm_s24le", "pcm_s24be", "pcm_s32le", "pcm_s32be"),
    *("pcm_f32le", "pcm_f32be", "pcm_f64le", "pcm_f64be"),
)
_OPTIONS = {"codec_whitelist": ",".join(_CODECS), "protocol_whitelist": "none"}


class Limits(NamedTuple):
    """Of a sound file."""

    max_s: float
    rates: tuple[int, int]  # Hz, the lowest and the highest


def read_sound(content: bytes, limits: Limits) -> tuple[NDArray[np.float32], int]:
    """Mono samples, and their rate. Files that were joined are read to the end of the last one, at
    the rate of the first one. Raises UnusableSound where the file cannot be read or is not within
    the limits."""
    content = without_tag(content)
    container = container_of(content)
    if container is None or (container == "wav" and has_broken_frames(content)):
        raise UnusableSound(f"is no {NAMES} file that can be read")
    if container == "caf":  # before FFmpeg reads it, whose reader of CAF counts on few channels
        _check_channels(caf_channels(content))
    parts, rate, total_s = list[NDArray[np.float32]](), 0, 0.0
    for part_rate, channels in _parts(content, container, limits):
        rate = rate or part_rate
        total_s += channels.shape[1] / part_rate
        if total_s > limits.max_s:
            raise _too_long(limits)
        if not np.isfinite(channels).all():
            raise UnusableSound("has samples that are not finite numbers")
        parts.append(soxr.resample(one_channel(channels), part_rate, rate))
    if not parts:
        raise UnusableSound("has no sound that can be read")
    return np.concatenate(parts), rate


def _parts(
    content: bytes, container: str, limits: Limits
) -> Iterator[tuple[int, NDArray[np.float32]]]:
    """Stretches of one rate and number of channels: (rate, samples of each channel)."""
    key, blocks, num_samples = (0, 0), list[NDArray[np.float32]](), 0
    try:
        source = io.BytesIO(content)
        with av.open(source, "r", format=container, options=dict(_OPTIONS)) as file:
            for frame in _frames(file):
                if (frame.sample_rate, frame.layout.nb_channels) != key:
                    if blocks:
                        yield key[0], np.concatenate(blocks, axis=1)
                    key, blocks, num_samples = _checked(frame, limits.rates), [], 0
                blocks.append(_samples(frame))
                num_samples += blocks[-1].shape[1]
                if num_samples > limits.max_s * key[0]:
                    raise _too_long(limits)
    except (av.FFmpegError, ValueError) as error:
        if not blocks:
            raise UnusableSound(f"is no {NAMES} file that can be read") from error
    if blocks:
        yield key[0], np.concatenate(blocks, axis=1)


def _frames(file: InputContainer) -> Iterator[AudioFrame]:
    """Of the first stream of sound. Packets that cannot be decoded are left out: between files that
    were joined there are tags."""
    if not file.streams.audio:
        raise UnusableSound("has no sound")
    stream: AudioStream = file.streams.audio[0]
    codec: AudioCodecContext | None = stream.codec_context  # None where FFmpeg knows no decoder
    if codec is None or codec.name not in _CODECS:
        name = "an unknown codec" if codec is None else f"the codec {codec.name}"
        raise UnusableSound(f"has {name}, which cannot be read")
    codec.thread_count = 1
    for index, packet in enumerate(file.demux(stream)):
        if index > MAX_PACKETS:
            raise UnusableSound("has too many packets")
        with suppress(av.FFmpegError):
            yield from packet.decode()


def _too_long(limits: Limits) -> UnusableSound:
    return UnusableSound(f"is longer than {limits.max_s:g} s")


def _checked(frame: AudioFrame, rates: tuple[int, int]) -> tuple[int, int]:
    rate, num_channels = frame.sample_rate, frame.layout.nb_channels
    if not rates[0] <= rate <= rates[1]:
        raise UnusableSound(f"has {rate} Hz; it must have {rates[0]} to {rates[1]} Hz")
    _check_channels(num_channels)
    return rate, num_channels


def _check_channels(num_channels: int) -> None:
    if not 1 <= num_channels <= MAX_CHANNELS:
        raise UnusableSound(f"has {num_channels} channels; it must have one or two")


def _samples(frame: AudioFrame) -> NDArray[np.float32]:
    """(channels, samples), full scale is 1."""
    values: NDArray[Any] = frame.to_ndarray()
    if not frame.format.is_planar:
        values = values.reshape(-1, frame.layout.nb_channels).T
    samples: NDArray[np.float32] = values.astype(np.float32)
    if values.dtype == np.uint8:
        samples = (samples - np.float32(128)) / np.float32(128)
    elif np.issubdtype(values.dtype, np.integer):
        samples *= np.float32(2.0 ** (1 - 8 * values.dtype.itemsize))
    return samples
