"""Whether a recording has two pitches, as that of two people does whose voices differ in pitch.

A reader's pitch, taken second by second, has one middle. Two people of unlike pitch give two, far
apart. People of like pitch are not told apart. Pure numpy; knows nothing about files or voices.
"""

import numpy as np
from numpy.typing import NDArray

Samples = NDArray[np.float32]

LOWEST_HZ, HIGHEST_HZ = 70, 400
FRAME_S, HOP_S = 0.04, 0.02
WINDOW_S = 1.0  # the median pitch of a window does not follow the melody of a phrase
LEAST_VOICED = 0.3  # of a window's frames
PERIODIC = 0.6  # of the power of a voiced frame
LOUD_DB = 25.0  # a voiced frame is not further below the loudest second
ABOVE_HUM_DB = 9.0  # of a voiced frame above the quietest tenth, which may hum from the mains
NEAR_BEST = 0.9  # the shortest period that explains nearly as much as the best is the pitch
LEAST_WINDOWS = 2  # of each person
APART = 6.0  # semitones between the people
CLEARLY_APART = 5.0  # in standard deviations of the windows of one person
LEAST_DEVIATION = 0.5  # semitones


def has_two_pitches(wav: Samples, rate: int) -> bool:
    pitches = np.sort(_pitches(wav, rate))
    for num_low in range(LEAST_WINDOWS, len(pitches) - LEAST_WINDOWS + 1):
        low, high = pitches[:num_low], pitches[num_low:]
        apart = float(high.mean() - low.mean())
        deviation = max(LEAST_DEVIATION, float(np.sqrt((low.var() + high.var()) / 2)))
        if apart >= APART and apart >= CLEARLY_APART * deviation:
            return True
    return False


def _pitches(wav: Samples, rate: int) -> NDArray[np.float64]:
    """Of each second with enough voice, in semitones."""
    frame, reach = round(FRAME_S * rate), rate // LOWEST_HZ
    starts = np.arange(0, len(wav) - frame, round(HOP_S * rate))
    if not len(starts):
        return np.zeros(0)
    frames = wav[starts[:, None] + np.arange(frame)].astype(np.float64)
    frames -= frames.mean(axis=1, keepdims=True)
    levels = 10 * np.log10(np.maximum(np.mean(np.square(frames), axis=1), 1e-10))
    likeness = _likeness(frames, reach + 1)
    lags = slice(rate // HIGHEST_HZ, reach)
    inner = likeness[:, lags]
    best = inner.max(axis=1)
    is_peak = (inner >= likeness[:, lags.start - 1 : lags.stop - 1]) & (
        inner >= likeness[:, lags.start + 1 : lags.stop + 1]
    )
    periods = lags.start + np.argmax(is_peak & (inner >= NEAR_BEST * best[:, None]), axis=1)
    loudest_second = np.sort(levels)[-round(1 / HOP_S) :][0]
    least = max(loudest_second - LOUD_DB, np.quantile(levels, 0.1) + ABOVE_HUM_DB)
    is_voiced = (best > PERIODIC) & (levels > least)
    semitones = 12 * np.log2(rate / periods)
    window = round(WINDOW_S / HOP_S)
    voiced = [
        semitones[at : at + window][is_voiced[at : at + window]]
        for at in range(0, len(semitones), window)
    ]
    return np.array([np.median(some) for some in voiced if len(some) >= LEAST_VOICED * window])


def _likeness(frames: NDArray[np.float64], num_lags: int) -> NDArray[np.float64]:
    """(frames, lags): the autocorrelation without the effect of the window, 1 at lag 0."""
    shape = np.hanning(frames.shape[1])
    size = 2 * frames.shape[1]

    def autocorrelation(signal: NDArray[np.float64]) -> NDArray[np.float64]:
        power = np.square(np.abs(np.fft.rfft(signal, size)))
        lags: NDArray[np.float64] = np.fft.irfft(power)[..., :num_lags]
        return lags / np.maximum(lags[..., :1], 1e-9)

    return autocorrelation(frames * shape) / autocorrelation(shape)
