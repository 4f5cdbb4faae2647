"""Bytes that decode back to the samples that went in."""

import io
import struct

import av
import numpy as np
import pytest
import soundfile

from app.audio import FORMATS, to_s16le, wav_header

RATE = 24_000
MP3_FRAME = 576


def tone(num_samples):
    return (0.5 * np.sin(2 * np.pi * 440 * np.arange(num_samples) / RATE)).astype(np.float32)


def encode(name, pcm, step):
    encoder = FORMATS[name].encoder()
    parts = [encoder.feed(pcm[i : i + step]) for i in range(0, len(pcm), step)]
    return b"".join([*parts, encoder.finish()])


def decode_mp3(body):
    with av.open(io.BytesIO(body)) as container:
        return np.concatenate([f.to_ndarray().ravel() for f in container.decode(audio=0)])


@pytest.mark.parametrize(
    ("value", "expected"),
    [(0.0, 0), (1.0, 32767), (-1.0, -32767), (2.0, 32767), (-2.0, -32768), (0.6 / 32767, 1)],
)
def test_samples_are_rounded_and_clipped(value, expected):
    assert struct.unpack("<h", to_s16le(np.array([value], np.float32))) == (expected,)


def test_a_header_of_known_length_says_it():
    assert len(wav_header(5)) == 44
    assert struct.unpack("<I", wav_header(5)[40:]) == (10,)
    assert struct.unpack("<I", wav_header(5)[4:8]) == (46,)


def test_a_header_of_unknown_length_fills_both_fields():
    assert wav_header(None)[4:8] == wav_header(None)[40:] == b"\xff" * 4


def test_streamed_wav_reads_to_its_last_sample():
    body = encode("wav", tone(7001), 960)
    samples, rate = soundfile.read(io.BytesIO(body))
    assert (len(samples), rate) == (7001, RATE)


def test_sealed_wav_has_its_true_length():
    body = FORMATS["wav"].seal(encode("wav", tone(7001), 960))
    assert body[:44] == wav_header(7001)
    np.testing.assert_allclose(soundfile.read(io.BytesIO(body))[0], tone(7001), atol=1e-4)


def test_wav_of_nothing_is_a_header():
    assert encode("wav", tone(0), 1) == wav_header(None)


def test_pcm_is_the_samples_alone():
    assert encode("pcm", tone(1000), 7) == to_s16le(tone(1000))


@pytest.mark.parametrize("num_samples", [1, 575, 576, 7001, 72_123])
def test_mp3_loses_no_final_sample(num_samples):
    decoded = decode_mp3(encode("mp3", tone(num_samples), 960))
    delay = 1105  # of the encoder and decoder together; a bare stream cannot announce it
    assert num_samples + delay <= len(decoded) <= num_samples + delay + 2 * MP3_FRAME
    if num_samples > 5000:
        heard = decoded[delay : delay + num_samples]
        assert np.abs(heard - tone(num_samples))[1200:-100].max() < 0.05


def test_mp3_is_the_same_in_any_pieces():
    assert encode("mp3", tone(9000), 9000) == encode("mp3", tone(9000), 77)


def test_the_first_bytes_of_mp3_decode_at_once():
    encoder = FORMATS["mp3"].encoder()
    assert len(decode_mp3(encoder.feed(tone(4800)))) >= 2400


def test_content_types():
    assert {name: FORMATS[name].content_type for name in FORMATS} == {
        "mp3": "audio/mpeg",
        "wav": "audio/wav",
        "pcm": "audio/pcm",
    }
