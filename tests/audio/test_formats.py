"""Every format decodes back to its samples, at every rate and speed."""

import io

import numpy as np
import pytest
import soundfile
import soxr

from app.audio.codecs import tempo_factors
from app.audio.formats import FORMATS, SAMPLE_RATES, AudioStream
from app.audio.pcm import to_s16le, wav_header
from tests.support.decoding import DELAY, FRAME, decode
from tests.support.fakes import tone

RATE = 24_000
EVERY = [
    (name, rate) for name, audio_format in FORMATS.items() for rate in audio_format.sample_rates
]


def encode(name, pcm, step=4800, rate=RATE, speed=1.0):
    stream = AudioStream(FORMATS[name], rate, speed)
    parts = [stream.feed(pcm[i : i + step]) for i in range(0, len(pcm), step)]
    body = b"".join([*parts, stream.finish()])
    return body, stream.num_samples


def pitch_hz(samples, rate):
    middle = samples[len(samples) // 4 : -len(samples) // 4]
    spectrum = np.abs(np.fft.rfft(middle * np.hanning(len(middle))))
    return np.argmax(spectrum) * rate / len(middle)


@pytest.mark.parametrize(("name", "rate"), EVERY)
def test_every_format_decodes_at_every_rate(name, rate):
    num_samples = 30_007
    body, num_shaped = encode(name, tone(num_samples), rate=rate)
    expected = num_samples * rate / RATE
    assert abs(num_shaped - expected) <= 1
    decoded = decode(name, body, rate)
    delay, frame = DELAY.get(name, 0), FRAME.get(name, 0)
    assert num_shaped + delay <= len(decoded) <= num_shaped + delay + frame
    assert abs(pitch_hz(decoded, rate) - 440) < 3


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("num_samples", [1, 575, 7001])
def test_the_last_sample_is_not_lost(name, num_samples):
    pcm = tone(num_samples)
    pcm[-1] = 0.9
    body, _ = encode(name, pcm, step=960)
    decoded = decode(name, body)
    assert len(decoded) >= num_samples
    if name in ("pcm", "wav", "flac", "mulaw", "alaw"):
        assert len(decoded) == num_samples
        assert abs(decoded[-1] - 0.9) < 0.03
    elif num_samples > 5000:
        delay = DELAY.get(name, 0)
        heard = decoded[delay : delay + num_samples]
        assert np.abs(heard - tone(num_samples))[1200:-100].max() < 0.12


def two_seconds_of(hz):
    return (0.5 * np.sin(2 * np.pi * hz * np.arange(48_000) / RATE)).astype(np.float32)


def power_db(samples):
    middle = samples[len(samples) // 4 : -len(samples) // 4].astype(np.float64)
    return 10 * np.log10(np.mean(middle**2) + 1e-20)


@pytest.mark.parametrize("rate", [rate for rate in SAMPLE_RATES if rate < RATE])
@pytest.mark.parametrize("above", [1.025, 1.05, 1.2])
@pytest.mark.parametrize("step", [48_000, 777])
def test_what_a_lower_rate_cannot_carry_does_not_come_back(rate, above, step):
    hz = min(rate / 2 * above, 11_900)
    high = two_seconds_of(hz)
    body, _ = encode("pcm", high, step, rate)
    assert power_db(decode("pcm", body)) < power_db(high) - 60


@pytest.mark.parametrize("rate", [rate for rate in SAMPLE_RATES if rate > RATE])
def test_a_higher_rate_has_no_mirror_image(rate):
    body, _ = encode("pcm", two_seconds_of(11_500), rate=rate)
    decoded = decode("pcm", body)
    spectrum = np.abs(np.fft.rfft(decoded * np.blackman(len(decoded)))) ** 2
    hz = np.arange(len(spectrum)) * rate / len(decoded)
    assert spectrum[np.abs(hz - 11_500) > 200].max() < spectrum.max() * 1e-6


@pytest.mark.parametrize("rate", [rate for rate in SAMPLE_RATES if rate != RATE])
def test_the_rate_is_changed_in_a_stream_as_in_a_whole(rate):
    pcm = tone(30_007)
    whole = to_s16le(soxr.resample(pcm, RATE, rate))
    assert encode("pcm", pcm, 30_007, rate)[0] == encode("pcm", pcm, 331, rate)[0] == whole


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize(("rate", "speed"), [(24_000, 1.0), (16_000, 1.3), (8000, 1.0)])
def test_the_bytes_do_not_depend_on_how_the_samples_are_cut(name, rate, speed):
    def content(step):
        body, _ = encode(name, tone(9000), step, rate, speed)
        return decode(name, body, rate) if name == "opus" else body  # Ogg draws a serial number

    np.testing.assert_array_equal(content(9000), content(77))


@pytest.mark.parametrize(("name", "rate"), EVERY)
def test_the_first_bytes_decode_alone(name, rate):
    stream = AudioStream(FORMATS[name], rate)
    first_s = 0.25 if rate > 16_000 else 0.5  # a frame of mp3 or aac is longer at a lower rate
    decoded = decode(name, stream.feed(tone(round(first_s * RATE))), rate)
    assert len(decoded) / rate >= 0.04


@pytest.mark.parametrize("speed", [0.25, 0.5, 0.8, 1.25, 2.0, 3.7, 4.0])
def test_speed_keeps_the_pitch_and_changes_the_duration(speed):
    body, num_shaped = encode("pcm", tone(96_000), speed=speed)
    decoded = decode("pcm", body)
    assert len(decoded) == num_shaped
    assert abs(pitch_hz(decoded, RATE) - 440) < 3


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("speed", [0.25, 0.5, 0.83, 1.0, 2.0, 3.7, 4.0])
def test_speed_loses_nothing_of_the_end(name, speed):
    num_samples = 30_007
    body, num_shaped = encode(name, tone(num_samples), speed=speed)
    assert num_shaped == round(num_samples / speed)
    delay, frame = DELAY.get(name, 0), FRAME.get(name, 0)
    assert num_shaped + delay <= len(decode(name, body)) <= num_shaped + delay + frame


@pytest.mark.parametrize("speed", [0.25, 0.5, 2.0, 4.0])
def test_a_sound_at_the_very_end_is_heard(speed):
    pcm = np.zeros(24_000, np.float32)
    pcm[-2400:] = two_seconds_of(220)[:2400]
    body, _ = encode("pcm", pcm, speed=speed)
    heard = decode("pcm", body)[-round(2400 / speed) :]
    assert 0.2 < np.sqrt(np.mean(heard**2)) < 0.5  # all of it: 0.35


@pytest.mark.parametrize("speed", [0.25, 4.0])
def test_speed_streams(speed):
    stream = AudioStream(FORMATS["pcm"], RATE, speed)
    assert len(stream.feed(tone(24_000))) / 2 > 20_000 / speed - 4096


@pytest.mark.parametrize(
    ("speed", "factors"),
    [(1, []), (2, [2]), (4, [2, 2]), (3, [2, 1.5]), (0.25, [0.5, 0.5]), (0.4, [0.5, 0.8])],
)
def test_large_changes_of_tempo_are_chained(speed, factors):
    assert tempo_factors(speed) == factors


def test_a_sealed_file_has_its_true_length():
    for name in ("wav", "flac"):
        streamed, num_samples = encode(name, tone(7001))
        sealed = FORMATS[name].seal(streamed, num_samples, RATE)
        assert soundfile.info(io.BytesIO(sealed)).frames == 7001
        np.testing.assert_allclose(soundfile.read(io.BytesIO(sealed))[0], tone(7001), atol=1e-4)
    assert streamed != sealed  # what streams does not know it
    body, num_samples = encode("wav", tone(70))
    assert FORMATS["wav"].seal(body, num_samples, RATE) == wav_header(70) + to_s16le(tone(70))


def test_flac_has_no_padding():
    body, _ = encode("flac", tone(2400))
    assert len(body) < 2400 * 2


def test_content_types_are_those_of_the_documents():
    assert {name: FORMATS[name].content_type for name in FORMATS} == {
        "mp3": "audio/mpeg",
        "opus": "audio/ogg; codecs=opus",
        "aac": "audio/aac",
        "flac": "audio/flac",
        "wav": "audio/wav",
        "pcm": "audio/pcm",
        "mulaw": "audio/PCMU",
        "alaw": "audio/PCMA",
    }


def test_sample_rates_reach_from_8_to_48_khz():
    assert (min(SAMPLE_RATES), max(SAMPLE_RATES)) == (8000, 48_000)
    assert all(
        audio_format.default_rate in audio_format.sample_rates for audio_format in FORMATS.values()
    )


def test_a_stream_without_samples_is_a_short_file():
    for name in FORMATS:
        body, num_samples = encode(name, tone(0))
        assert num_samples == 0
        assert len(body) <= len(encode(name, tone(7001))[0]), name  # what frames it, at most
