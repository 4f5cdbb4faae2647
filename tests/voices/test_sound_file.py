"""A recording is read whole, whatever container it came in and whatever its name says."""

import numpy as np
import pytest
import soxr

from app.voices import sound_file
from app.voices.decoder_process import CALLERS
from app.voices.sound_file import Limits
from app.voices.unusable_sound import UnusableSound
from tests.support.audio_samples import spoken_vowels
from tests.support.containers import CONTAINERS, Container, contained
from tests.support.hostile_uploads import encoded

RATE = 24_000
VOWELS = spoken_vowels(3, 6.0)
JOINED = ("webm", "flac", "ogg", "adts", "matroska", "mp3", "amr")
STREAMED = ("webm", "flac", "ogg", "adts", "matroska", "mp3", "wav")


def read_sound(content, max_s=30):
    """At 24 kHz."""
    wav, rate = sound_file.read_sound(content, Limits(max_s, CALLERS.rates))
    return soxr.resample(wav, rate, RATE)


def envelope(wav):
    """The level of each tenth of a second."""
    frames = wav[: len(wav) // 2400 * 2400].reshape(-1, 2400)
    return np.sqrt(np.mean(frames**2, axis=1))


def assert_same_sound(wav, expected):
    """The delay and the bandwidth of a codec may differ."""
    assert abs(len(wav) - len(expected)) < 0.15 * RATE
    assert_begins_with(wav, expected)


def assert_begins_with(wav, expected):
    theirs = envelope(expected)[:-3]
    likeness = [
        np.corrcoef(envelope(wav[delay:])[: len(theirs)], theirs)[0, 1]
        for delay in range(0, RATE // 5, RATE // 100)
    ]
    assert max(likeness) > 0.95


def assert_joined(wav, first, second):
    assert abs(len(wav) - len(first) - len(second)) < 0.3 * RATE
    assert_begins_with(wav, first)
    assert_begins_with(wav[len(first) :], second)


def named(*formats):
    return [
        pytest.param(container, id=sender)
        for sender, container in CONTAINERS.items()
        if not formats or container.format in formats
    ]


@pytest.mark.parametrize("container", named())
def test_what_browsers_phones_and_chat_programs_send_is_read(container):
    assert_same_sound(read_sound(contained(VOWELS, container)), VOWELS)


@pytest.mark.parametrize("container", named(*STREAMED))
def test_a_file_whose_header_has_no_length_is_read_to_its_end(container):
    content = contained(VOWELS, container, streamed=True)
    wav = read_sound(content)
    assert_same_sound(wav, VOWELS)


def test_a_flac_file_of_unknown_length_loses_no_sample():
    content = contained(VOWELS, CONTAINERS["flac"], streamed=True)
    np.testing.assert_allclose(read_sound(content), VOWELS, atol=1 / 32_000)


@pytest.mark.parametrize("container", named(*JOINED))
def test_files_that_were_joined_are_read_to_the_end_of_the_last(container):
    first, second = VOWELS[: 3 * RATE], spoken_vowels(4, 3.0)
    joined = contained(first, container)
    rest = contained(second, container)
    joined += rest.removeprefix(b"#!AMR\n")
    assert_joined(read_sound(joined), first, second)


def test_joined_files_of_two_rates_are_each_read_at_their_own():
    first = contained(VOWELS, Container("mp3", "libmp3lame", 24_000))
    second = contained(VOWELS, Container("mp3", "libmp3lame", 16_000))
    assert_joined(read_sound(first + second), VOWELS, VOWELS)


def test_a_tag_with_a_picture_does_not_hide_the_sound():
    mp3 = contained(VOWELS, CONTAINERS["mp3 with a tag"])
    picture = b"\x89PNG" + bytes(100_000)
    size = bytes(len(picture) >> shift & 0x7F for shift in (21, 14, 7, 0))
    tag = b"ID3\x04\0\0" + size
    assert_same_sound(read_sound(tag + picture + mp3), VOWELS)


@pytest.mark.parametrize("noise", [0.0, 0.01])
def test_left_and_right_in_antiphase_give_one_of_them(noise):
    stereo = np.stack([VOWELS, -0.9 * VOWELS], 1)
    stereo += noise * np.random.default_rng(1).standard_normal(stereo.shape).astype(np.float32)
    wav = read_sound(encoded(stereo))
    np.testing.assert_allclose(wav, stereo[:, 0], atol=1e-3)


def test_left_and_right_that_agree_give_their_mean():
    wav = read_sound(encoded(np.stack([VOWELS, 0.5 * VOWELS], 1)))
    np.testing.assert_allclose(wav, 0.75 * VOWELS, atol=1e-3)


def test_a_recording_on_one_side_alone_is_read():
    wav = read_sound(encoded(np.stack([0 * VOWELS, VOWELS], 1)))
    np.testing.assert_allclose(wav, VOWELS / 2, atol=1e-3)


@pytest.mark.parametrize("content", [b"", b"x", b"#EXTM3U\nfile:///etc/passwd\n", b"FORM" * 9])
def test_another_file_is_refused_with_what_is_taken(content):
    with pytest.raises(UnusableSound, match="is no WAV, FLAC, Ogg, MP3, WebM, MP4"):
        read_sound(content)


def test_a_file_over_the_limit_is_refused():
    with pytest.raises(UnusableSound, match="longer than 5 s"):
        read_sound(encoded(VOWELS), 5)
