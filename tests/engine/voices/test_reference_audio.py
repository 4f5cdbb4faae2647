"""A reference recording is usable, or it is refused by its source."""

import io
import re

import numpy as np
import pytest
import soundfile

from app.engine.voices.reference_audio import ReferenceAudio, decode_reference
from app.errors import BadRequest
from tests.support.audio_samples import spoken_vowels
from tests.support.containers import CONTAINERS, contained


@pytest.mark.parametrize(
    ("wav", "problem"),
    [
        (spoken_vowels(1, 0.9), "is 0.90 s long; it must be 1 s to 300 s"),
        (spoken_vowels(1, 301, 8000), "is 301.00 s long"),
        (np.full(48_000, np.nan, np.float32), "has samples that are not finite numbers"),
        (np.full(48_000, 1e-4, np.float32), "is silent"),
    ],
    ids=["short", "long", "nan", "silent"],
)
def test_an_unusable_recording_is_refused_by_its_source(wav, problem):
    file = io.BytesIO()
    rate = 8000 if "301" in problem else 24_000
    soundfile.write(file, wav, rate, format="WAV", subtype="FLOAT")
    with pytest.raises(BadRequest, match=re.escape(f"ann.wav {problem}")) as error:
        decode_reference(file.getvalue(), "ann.wav")
    assert error.value.param == "voice"


def test_a_file_that_is_not_a_sound_file_is_refused_by_its_source():
    with pytest.raises(BadRequest, match=r"^ann\.wav is no WAV, FLAC"):
        decode_reference(b"not a sound", "ann.wav")


def test_two_channels_of_a_file_become_one():
    file, wav = io.BytesIO(), spoken_vowels(1, 2.0)
    stereo = np.stack([wav, np.zeros_like(wav)], 1)
    soundfile.write(file, stereo, 24_000, format="WAV", subtype="FLOAT")
    recording = decode_reference(file.getvalue(), "ann.wav")
    np.testing.assert_allclose(recording.wav, wav / 2, atol=1e-6)


def test_a_flac_file_whose_length_its_header_does_not_know_is_read_whole():
    """As this server and ffmpeg stream it."""
    wav = spoken_vowels(1, 3.0)
    content = contained(wav, CONTAINERS["flac"], streamed=True)
    recording = decode_reference(content, "ann.flac")
    np.testing.assert_allclose(recording.wav, wav, atol=1 / 32_000)


@pytest.mark.parametrize("rate", [4000, 192_000])
def test_an_operator_may_use_any_rate(rate):
    file, wav = io.BytesIO(), spoken_vowels(1, 16.0)
    soundfile.write(file, wav, rate, format="WAV", subtype="FLOAT")
    recording = decode_reference(file.getvalue(), "ann.wav")
    assert recording.sample_rate == rate
    np.testing.assert_array_equal(recording.wav, wav)


@pytest.mark.parametrize("wav", [np.ones((48_000, 2), np.float32), np.ones(48_000)])
def test_reference_audio_is_mono_float32(wav):
    with pytest.raises(BadRequest, match="must be mono float32"):
        ReferenceAudio(wav, 24_000, "ann.wav")
