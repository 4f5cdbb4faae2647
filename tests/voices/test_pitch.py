"""Two people of unlike pitch are noticed; one person is one, whatever the melody."""

import numpy as np
import pytest

from app.voices.pitch import has_two_pitches
from tests.support.audio_samples import spoken_vowels

RATE = 24_000


def voice(hz, seconds, sway=0.2, seed=1):
    """Harmonics of a pitch that sways by this share, with pauses and a little noise."""
    time = np.arange(round(seconds * RATE)) / RATE
    phase = np.cumsum(hz * (1 + sway * np.sin(2 * np.pi * 0.4 * time))) / RATE
    wave = sum(np.sin(2 * np.pi * n * phase) / n for n in range(1, 12)) * (time % 1.3 < 1.0)
    noise = 0.02 * np.random.default_rng(seed).standard_normal(len(time))
    return (0.2 * wave + noise).astype(np.float32)


@pytest.mark.parametrize("seed", range(1, 8))
def test_one_voice_is_one(seed):
    assert not has_two_pitches(spoken_vowels(seed, 8.0), RATE)


@pytest.mark.parametrize("hz", [90, 130, 220, 300])
def test_a_lively_voice_is_one(hz):
    assert not has_two_pitches(voice(hz, 20.0), RATE)


@pytest.mark.parametrize("mains_hz", [50, 60])
@pytest.mark.parametrize("hz", [130, 220, 300])
def test_a_voice_above_a_hum_of_the_mains_is_one(hz, mains_hz):
    """In its pauses the hum is alone, and noise on its slopes looks like a high pitch."""
    speech = np.concatenate([voice(hz, 2.6), np.zeros(3 * RATE // 2)] * 4)
    hum = np.sin(2 * np.pi * mains_hz * np.arange(len(speech)) / RATE)
    hum *= 0.2 * np.sqrt(2 * np.mean(speech**2))
    noise = 0.001 * np.random.default_rng(1).standard_normal(len(speech))
    assert not has_two_pitches((speech + hum + noise).astype(np.float32), RATE)


@pytest.mark.parametrize(("low_hz", "high_hz"), [(100, 190), (110, 220), (140, 250)])
@pytest.mark.parametrize("seconds", [(6, 6), (9, 3), (3, 9)])
def test_two_voices_of_unlike_pitch_are_two(low_hz, high_hz, seconds):
    low, high = voice(low_hz, seconds[0], 0.08), voice(high_hz, seconds[1], 0.08)
    assert has_two_pitches(np.concatenate([low, high]), RATE)


def test_two_voices_in_turn_are_two():
    turns = [voice(hz, 2.6, 0.08) for hz in (105, 205, 105, 205)]
    assert has_two_pitches(np.concatenate(turns), RATE)


@pytest.mark.parametrize(
    "wav",
    [np.zeros(0), np.zeros(8 * RATE), np.random.default_rng(1).standard_normal(8 * RATE)],
    ids=["nothing", "silence", "noise"],
)
def test_what_has_no_pitch_has_not_two(wav):
    assert not has_two_pitches(wav.astype(np.float32), RATE)
