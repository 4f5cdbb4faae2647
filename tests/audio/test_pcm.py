"""Samples become PCM and WAV bytes."""

import io
import struct

import numpy as np
import pytest
import soundfile

from app.audio.pcm import PcmEncoder, WavEncoder, to_s16le, wav_header
from tests.support.fakes import tone


@pytest.mark.parametrize(
    ("value", "expected"),
    [(0.0, 0), (1.0, 32767), (-1.0, -32767), (2.0, 32767), (-2.0, -32768), (0.6 / 32767, 1)],
)
def test_samples_are_rounded_and_clipped(value, expected):
    assert struct.unpack("<h", to_s16le(np.array([value], np.float32))) == (expected,)


def test_a_wav_header_has_the_known_length():
    assert len(wav_header(5)) == 44
    assert struct.unpack("<I", wav_header(5)[40:]) == (10,)
    assert struct.unpack("<I", wav_header(5)[4:8]) == (46,)


def test_a_wav_header_of_unknown_length_has_the_largest_length():
    assert wav_header(None)[4:8] == wav_header(None)[40:] == b"\xff" * 4


@pytest.mark.parametrize("rate", [8000, 24_000, 48_000])
def test_a_streamed_wav_file_is_read_to_its_last_sample(rate):
    encoder = WavEncoder(rate)
    body = b"".join([encoder.feed(tone(5000)), encoder.feed(tone(2001)), encoder.finish()])
    samples, read_rate = soundfile.read(io.BytesIO(body))
    assert (len(samples), read_rate) == (7001, rate)


def test_a_wav_stream_without_samples_is_a_header():
    assert WavEncoder().finish() == wav_header(None)


def test_pcm_has_no_header():
    encoder = PcmEncoder()
    assert encoder.feed(tone(7)) + encoder.feed(tone(3)) + encoder.finish() == to_s16le(
        np.concatenate([tone(7), tone(3)])
    )
