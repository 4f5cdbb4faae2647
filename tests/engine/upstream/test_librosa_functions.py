"""Each function gives what the library's own gives, in the way in which enrolment calls it."""

import librosa
import numpy as np
import pyloudnorm
import pytest
import scipy.signal

from app.engine.upstream import librosa_functions
from tests.support.audio_samples import spoken_vowels

WAV = spoken_vowels(3, 7.3)
PADDED = np.concatenate([np.zeros(30_000, np.float32), WAV, WAV * 0.01])


@pytest.mark.parametrize(
    "options",
    [
        {"sr": 24_000, "n_fft": 1920, "n_mels": 80, "fmin": 0, "fmax": 8000},
        {"sr": 16_000, "n_fft": 400, "n_mels": 40, "fmin": 0, "fmax": 8000},
        {"sr": 16_000, "n_fft": 400, "n_mels": 128},
    ],
    ids=["vocoder", "voice encoder", "speech tokenizer"],
)
def test_the_mel_filters_are_librosas(options):
    ours, theirs = librosa_functions.mel_filters(**options), librosa.filters.mel(**options)
    np.testing.assert_array_equal(ours, theirs)
    assert ours.dtype == theirs.dtype


@pytest.mark.parametrize("rate", [8000, 16_000, 22_050, 24_000, 44_100, 48_000])
def test_resampling_is_librosas(rate):
    ours = librosa_functions.resample(WAV, rate, 24_000)
    theirs = librosa.resample(WAV, orig_sr=rate, target_sr=24_000)
    np.testing.assert_array_equal(ours, theirs)
    assert ours.dtype == theirs.dtype


def test_the_spectrogram_is_librosas():
    options = {"n_fft": 400, "hop_length": 160, "win_length": 400, "center": True}
    ours = librosa_functions.stft(WAV, **options, pad_mode="reflect")
    theirs = librosa.stft(WAV, **options, pad_mode="reflect")
    np.testing.assert_array_equal(ours, theirs)
    assert ours.dtype == theirs.dtype


@pytest.mark.parametrize("wav", [WAV, PADDED, np.zeros(20_000, np.float32)])
def test_trimming_is_librosas(wav):
    (ours, our_borders), (theirs, their_borders) = (
        librosa_functions.trim(wav, top_db=20),
        librosa.effects.trim(wav, top_db=20),
    )
    np.testing.assert_array_equal(our_borders, their_borders)
    np.testing.assert_array_equal(ours, theirs)


def test_the_filters_of_a_loudness_meter_give_what_scipys_give():
    for stage in pyloudnorm.Meter(24_000)._filters.values():
        ours = librosa_functions.lfilter(stage.b, stage.a, PADDED)
        theirs = scipy.signal.lfilter(stage.b, stage.a, PADDED)
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-12)
