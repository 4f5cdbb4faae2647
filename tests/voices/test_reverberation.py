"""A room is heard in speech, and speech without one has none."""

import numpy as np
import pytest
from scipy.signal import fftconvolve

from app.voices.reverberation import ECHO_S, decay_s
from tests.support.audio_samples import spoken_vowels

RATE = 24_000
SPEAKERS = (1, 2, 3, 5)


def in_room(wav, room_decay_s, seed=1):
    """As loud from the walls as from the mouth."""
    time = np.arange(round(1.2 * room_decay_s * RATE)) / RATE
    walls = np.random.default_rng(seed).standard_normal(len(time)) * 10 ** (
        -3 * time / room_decay_s
    )
    walls /= np.sqrt(np.sum(walls**2))
    walls[0] = 1.0
    return fftconvolve(wav, walls)[: len(wav)].astype(np.float32)


@pytest.mark.parametrize("seed", SPEAKERS)
def test_dry_speech_has_no_echo(seed):
    speech = spoken_vowels(seed, 8.0)
    noise = 0.01 * np.random.default_rng(1).standard_normal(len(speech)).astype(np.float32)
    assert decay_s(speech, RATE) < 0.25
    assert (decay_s(speech + noise, RATE) or 0.0) < 0.25


@pytest.mark.parametrize("seed", SPEAKERS)
@pytest.mark.parametrize("room_decay_s", [0.2, 0.7])
def test_the_decay_of_a_room_is_heard(seed, room_decay_s):
    heard = decay_s(in_room(spoken_vowels(seed, 8.0), room_decay_s), RATE)
    assert heard == pytest.approx(room_decay_s, rel=0.4, abs=0.15)
    assert (heard >= ECHO_S) == (room_decay_s == 0.7)


@pytest.mark.parametrize(
    "wav",
    [np.zeros(0), np.zeros(RATE), np.ones(5 * RATE), np.sin(np.arange(5 * RATE))],
    ids=["nothing", "silence", "an offset", "a tone"],
)
def test_without_falls_there_is_no_measure(wav):
    assert decay_s(wav.astype(np.float32), RATE) is None
