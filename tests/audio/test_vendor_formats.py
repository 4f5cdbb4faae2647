"""The formats of other vendors' protocols: what a decoder hears of them."""

import io

import av
import numpy as np
import pytest
import soundfile

from app.audio.formats import AudioStream
from app.audio.vendor_formats import coded_format, raw_format, wav_format
from app.errors import BadRequest
from tests.support.fakes import tone

NUM_SAMPLES = 4800


def encoded(made, num_samples=NUM_SAMPLES):
    stream = AudioStream(made.audio, made.sample_rate)
    return stream.feed(tone(num_samples)) + stream.finish()


def test_floats_are_the_models_own_samples():
    heard = np.frombuffer(encoded(raw_format("pcm_f32le", 24_000)), "<f4")
    assert np.array_equal(heard, tone(NUM_SAMPLES))


def test_floats_are_clipped():
    made = raw_format("pcm_f32le", 24_000).louder(4.0)
    assert np.abs(np.frombuffer(encoded(made), "<f4")).max() == 1.0


@pytest.mark.parametrize("encoding", ["pcm_s16le", "pcm_f32le", "pcm_mulaw", "pcm_alaw"])
@pytest.mark.parametrize("rate", [8000, 24_000, 44_100])
def test_a_wav_of_each_encoding_is_heard(encoding, rate):
    samples, told_rate = soundfile.read(io.BytesIO(encoded(wav_format(encoding, rate))))
    assert told_rate == rate
    assert abs(len(samples) - NUM_SAMPLES * rate / 24_000) <= 32
    assert 0.45 < np.abs(samples).max() < 0.55


@pytest.mark.parametrize("encoding", ["pcm_s16le", "pcm_f32le", "pcm_mulaw", "pcm_alaw"])
def test_the_silence_of_a_raw_format_is_20_ms_of_nothing(encoding):
    made = raw_format(encoding, 24_000)
    stream = AudioStream(made.audio, made.sample_rate)
    assert stream.feed(np.zeros(480, np.float32)) + stream.finish() == made.silence


@pytest.mark.parametrize(("name", "rate"), [("mp3", 44_100), ("opus", 48_000)])
def test_the_bit_rate_acts(name, rate):
    sizes = [len(encoded(coded_format(name, rate, kbit * 1000), 48_000)) for kbit in (32, 128)]
    assert sizes[0] < sizes[1] / 2
    with av.open(io.BytesIO(encoded(coded_format(name, rate, 64_000)))) as container:
        assert container.streams.audio[0].rate == rate


def test_a_gain_is_a_factor():
    quiet = np.frombuffer(encoded(raw_format("pcm_s16le", 24_000).louder(0.5)), "<i2")
    assert abs(np.abs(quiet).max() / 32767 - 0.25) < 0.01


def test_no_gain_changes_nothing():
    made = raw_format("pcm_s16le", 24_000)
    assert made.louder(1.0) is made


@pytest.mark.parametrize("rate", [0, -8000, 24_001, 10**12])
def test_a_rate_that_is_not_made_is_refused_before_any_work(rate):
    for make in (raw_format, wav_format):
        with pytest.raises(BadRequest):
            make("pcm_s16le", rate)
    with pytest.raises(BadRequest):
        coded_format("mp3", rate, 64_000)
