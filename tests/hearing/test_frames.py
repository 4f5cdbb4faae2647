from itertools import pairwise

import numpy as np
import pytest

from app.errors import BadRequest
from app.hearing.ears import SoundFormat
from app.hearing.frames import Framer

RATES = (8_000, 11_025, 16_000, 22_050, 24_000, 44_100, 48_000)


def tone(rate: int, seconds: float = 1.0, frequency: float = 440) -> bytes:
    time_s = np.arange(round(rate * seconds)) / rate
    return (8000 * np.sin(2 * np.pi * frequency * time_s)).astype("<i2").tobytes()


@pytest.mark.parametrize("rate", RATES)
def test_a_second_of_any_rate_is_a_second_of_frames(rate):
    framer = Framer(SoundFormat("s16le", rate), 320)
    frames = framer.feed(tone(rate))
    assert len(frames) in (49, 50)  # the resampler holds 2 ms back
    assert {len(frame) for frame in frames} == {640}
    assert framer.accepted_s == pytest.approx(1.0)


@pytest.mark.parametrize("rate", RATES)
def test_frames_do_not_depend_on_how_the_sound_is_cut(rate):
    sound = tone(rate)
    whole = Framer(SoundFormat("s16le", rate), 512).feed(sound)
    pieces = Framer(SoundFormat("s16le", rate), 512)
    rng = np.random.default_rng(rate)
    cuts = [0, *np.sort(rng.integers(0, len(sound), 40)), len(sound)]  # odd bytes, too
    given = [f for a, b in pairwise(cuts) for f in pieces.feed(sound[a:b])]
    assert given == whole


def test_sound_at_16_khz_passes_unchanged():
    sound = tone(16_000)
    assert b"".join(Framer(SoundFormat("s16le", 16_000), 320).feed(sound)) == sound


def test_a_tone_keeps_its_pitch_and_level():
    frames = Framer(SoundFormat("s16le", 24_000), 512).feed(tone(24_000, 2.0, 1000))
    heard = np.frombuffer(b"".join(frames), "<i2")[2000:18_000]
    spectrum = np.abs(np.fft.rfft(heard * np.hanning(len(heard))))
    assert np.argmax(spectrum) * 16_000 / len(heard) == pytest.approx(1000, abs=2)
    assert heard.std() == pytest.approx(8000 / np.sqrt(2), rel=0.02)


def test_what_lies_above_8_khz_is_not_heard_as_something_else():
    frames = Framer(SoundFormat("s16le", 48_000), 512).feed(tone(48_000, 1.0, 11_000))
    assert np.abs(np.frombuffer(b"".join(frames), "<i2")[1000:]).max() < 20


@pytest.mark.parametrize(
    ("encoding", "codes"),
    [
        ("mulaw", {0xFF: 0, 0x7F: 0, 0x00: -32_124, 0x80: 32_124, 0xF0: 120}),
        ("alaw", {0xD5: 8, 0x55: -8, 0x2A: -32_256, 0xAA: 32_256}),
    ],
)
def test_g711_is_decoded_by_its_standard(encoding, codes):
    framer = Framer(SoundFormat(encoding, 16_000), len(codes))
    (frame,) = framer.feed(bytes(codes))
    assert list(np.frombuffer(frame, "<i2")) == list(codes.values())


@pytest.mark.parametrize("rate", [0, 7_999, 48_001, -8_000])
def test_a_rate_that_no_caller_has_is_refused(rate):
    with pytest.raises(BadRequest, match="Hz cannot be heard") as caught:
        Framer(SoundFormat("s16le", rate), 320)
    assert caught.value.param == "sample_rate"


def test_the_rest_of_a_frame_can_be_taken_and_given_to_the_next_framer():
    sound = tone(16_000)[:1000]
    first = Framer(SoundFormat("s16le", 16_000), 320)
    assert len(first.feed(sound)) == 1
    rest = first.take_rest()
    assert rest == sound[640:]
    assert first.take_rest() == b""
    second = Framer(SoundFormat("s16le", 16_000), 320, rest)
    assert second.feed(sound[:280]) == [rest + sound[:280]]


def test_half_a_sample_before_the_rest_is_taken_is_not_heard_with_the_next_sound():
    sound = tone(16_000)
    framer = Framer(SoundFormat("s16le", 16_000), 320)
    framer.feed(sound[:101])
    assert framer.take_rest() == sound[:100]
    assert framer.feed(sound[:640]) == [sound[:640]]


def test_nothing_gives_nothing():
    framer = Framer(SoundFormat("s16le", 24_000), 320)
    assert framer.feed(b"") == framer.feed(b"\x01") == []
    assert framer.accepted_s == 0
