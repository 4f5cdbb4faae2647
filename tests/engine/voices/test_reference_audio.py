"""A reference recording is usable, or it is refused by its source."""

import io
import re

import numpy as np
import pytest
import soundfile

from app.engine.voices.reference_audio import ReferenceAudio, read_reference
from app.errors import BadRequest
from app.voices.decoder import Purpose
from tests.support.audio_samples import spoken_vowels
from tests.support.containers import CONTAINERS, contained

SPOKEN, WHOLE = Purpose.SPOKEN, Purpose.WHOLE
RATE = 24_000
SPEECH = spoken_vowels(1, 6.0)


def as_wav(wav, rate=RATE):
    file = io.BytesIO()
    soundfile.write(file, wav, rate, format="WAV", subtype="FLOAT")
    return file.getvalue()


def silence(seconds):
    return np.zeros(round(seconds * RATE), np.float32)


@pytest.mark.parametrize(
    ("purpose", "wav", "rate", "problem"),
    [
        (WHOLE, SPEECH[: round(0.9 * RATE)], RATE, "is 0.90 s long; it must have at least 1 s"),
        (WHOLE, np.full(48_000, 1e-4, np.float32), RATE, "is silent"),
        (WHOLE, spoken_vowels(1, 301, 8000), 8000, "is longer than 300 s"),
        (SPOKEN, spoken_vowels(1, 301, 8000), 8000, "is longer than 300 s"),
        (WHOLE, np.full(480_000, np.nan, np.float32), RATE, "has samples that are not finite"),
        (SPOKEN, SPEECH[: 4 * RATE], RATE, "is 4.00 s long; it must have 5 s of speech"),
        (
            SPOKEN,
            np.concatenate([silence(9), SPEECH[: 4 * RATE], silence(9)]),
            RATE,
            "has 4.0 s of speech within 10 s of its first word; it must have 5 s",
        ),
        (SPOKEN, silence(10), RATE, "is silent, or has no speech that is louder than its noise"),
    ],
)
def test_an_unusable_recording_is_refused_by_its_source(purpose, wav, rate, problem):
    with pytest.raises(BadRequest, match=re.escape(f"ann.wav {problem}")) as error:
        read_reference(as_wav(wav, rate), purpose, "ann.wav")
    assert error.value.param == "voice"


@pytest.mark.parametrize("purpose", [SPOKEN, WHOLE, Purpose.STORED])
def test_a_file_that_is_not_a_sound_file_is_refused_by_its_source(purpose):
    with pytest.raises(BadRequest, match=r"^ann\.wav is no WAV, FLAC"):
        read_reference(b"not a sound", purpose, "ann.wav")


def test_the_spoken_part_of_a_recording_is_what_is_used():
    wav = np.concatenate([silence(7), SPEECH, silence(3)])
    recording = read_reference(as_wav(wav), SPOKEN, "ann.wav")
    assert recording.sample_rate == RATE
    assert abs(len(recording.wav) - len(SPEECH)) < 0.3 * RATE
    at = np.flatnonzero(wav == recording.wav[0])[0] if recording.wav[0] else 7 * RATE
    assert abs(at - 7 * RATE) < 0.3 * RATE


@pytest.mark.parametrize("purpose", [WHOLE, Purpose.STORED])
def test_what_is_to_stay_as_it_is_loses_no_sample(purpose):
    wav = np.concatenate([silence(2), SPEECH[: 3 * RATE], silence(1)])
    recording = read_reference(as_wav(wav), purpose, "ann.wav")
    np.testing.assert_array_equal(recording.wav, wav)
    assert recording.wav.flags.writeable


def test_two_channels_of_a_file_become_one():
    stereo = np.stack([SPEECH, np.zeros_like(SPEECH)], 1)
    recording = read_reference(as_wav(stereo), WHOLE, "ann.wav")
    np.testing.assert_allclose(recording.wav, SPEECH / 2, atol=1e-6)


def test_a_flac_file_whose_length_its_header_does_not_know_is_read_whole():
    """As this server and ffmpeg stream it."""
    content = contained(SPEECH, CONTAINERS["flac"], streamed=True)
    recording = read_reference(content, WHOLE, "ann.flac")
    np.testing.assert_allclose(recording.wav, SPEECH, atol=1 / 32_000)


@pytest.mark.parametrize("rate", [4000, 192_000])
def test_an_operator_may_use_any_rate(rate):
    wav = spoken_vowels(1, 16.0, rate)
    recording = read_reference(as_wav(wav, rate), WHOLE, "ann.wav")
    assert recording.sample_rate == rate
    np.testing.assert_array_equal(recording.wav, wav)
    spoken = read_reference(as_wav(wav, rate), SPOKEN, "ann.wav")
    assert spoken.sample_rate == RATE
    assert abs(len(spoken.wav) / RATE - 16.0) < 0.3


@pytest.mark.full
@pytest.mark.parametrize(("rate", "channels"), [(48_000, 2), (192_000, 1)])
def test_five_minutes_of_an_operator_are_within_the_bounds_of_the_decoder(rate, channels):
    part = np.stack([spoken_vowels(1, 10.0, rate)] * channels, 1)
    file = io.BytesIO()
    with soundfile.SoundFile(file, "w", rate, channels, format="WAV") as out:
        for _ in range(29):
            out.write(part)
    content = file.getvalue()
    assert len(read_reference(content, WHOLE, "ann.wav").wav) == 290 * rate
    assert abs(len(read_reference(content, SPOKEN, "ann.wav").wav) / RATE - 290) < 0.5


@pytest.mark.parametrize("wav", [np.ones((48_000, 2), np.float32), np.ones(48_000)])
def test_reference_audio_is_mono_float32(wav):
    with pytest.raises(BadRequest, match="must be mono float32"):
        ReferenceAudio(wav, RATE, "ann.wav")
