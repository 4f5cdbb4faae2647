"""Reference recordings of seeded harmonic vowels."""

import numpy as np
from numpy.typing import NDArray

# First three formants, Hz: a, e, i, o, u
VOWELS = (
    (730, 1090, 2440),
    (530, 1840, 2480),
    (270, 2290, 3010),
    (570, 840, 2410),
    (300, 870, 2240),
)
SYLLABLE_S = 0.22


def spoken_vowels(seed: int, seconds: float, sample_rate: int = 24_000) -> NDArray[np.float32]:
    """A speaker's vowels. The seed gives pitch, formant scale and order of vowels.

    There are pauses between the syllables, so that loudness gates and silence trims have an effect.
    """
    rng = np.random.default_rng(seed)
    time = np.arange(round(seconds * sample_rate)) / sample_rate
    pitch = rng.uniform(90, 260) * (1 + 0.03 * np.sin(2 * np.pi * rng.uniform(2, 5) * time))
    phase = 2 * np.pi * np.cumsum(pitch) / sample_rate
    syllable = (time / SYLLABLE_S).astype(int)
    formants = rng.uniform(0.85, 1.2) * np.array(VOWELS)[rng.integers(0, 5, syllable[-1] + 1)]
    envelope = (
        np.sin(np.pi * (time / SYLLABLE_S % 1)) * (rng.random(syllable[-1] + 1) > 0.2)[syllable]
    )
    wave = np.zeros_like(time)
    for harmonic in range(1, 25):
        frequency = harmonic * pitch
        gain = sum(np.exp(-(((frequency - formants[syllable, k]) / 150) ** 2)) for k in range(3))
        wave += (gain + 0.02) / harmonic * np.sin(harmonic * phase)
    wave = wave * envelope + 0.003 * rng.standard_normal(len(time))
    return (0.5 * wave / np.abs(wave).max()).astype(np.float32)
