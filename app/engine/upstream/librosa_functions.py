"""The functions of librosa and scipy that enrolment needs, in numpy.

Librosa compiles some of its functions with numba when it is imported: 20 s of CPU time the first
time on a machine, 3 s later. scipy.signal takes 3 s (2026-11). Enrolment needs six functions, each
called in one way. Their results are librosa's, bit for bit (tests/engine/upstream). Knows nothing
about models.
"""

from typing import Any

import numpy as np
import soxr
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

Samples = NDArray[np.float32]
Floats = NDArray[np.float64]

_LOG_FROM_HZ = 1000.0  # Slaney's scale of mels is linear below
_LOG_STEP = np.log(6.4) / 27.0
_TRIM_FRAME, _TRIM_HOP = 2048, 512
_LEAST_AMPLITUDE = 1e-5
_RESPONSE_SAMPLES = 24_000  # samples in which the response of a loudness filter has died


def resample(wav: Samples, orig_sr: int, target_sr: int) -> Samples:
    """Librosa's `resample`, with its default quality."""
    if orig_sr == target_sr:
        return wav
    num_samples = int(np.ceil(len(wav) * (float(target_sr) / orig_sr)))
    resampled = soxr.resample(wav, orig_sr, target_sr, quality="soxr_hq")[:num_samples]
    padded = np.pad(resampled, (0, num_samples - len(resampled)))
    return np.asarray(padded, dtype=wav.dtype)


def mel_filters(
    *, sr: float, n_fft: int, n_mels: int, fmin: float = 0.0, fmax: float | None = None
) -> Samples:
    """Librosa's `filters.mel`: (n_mels, n_fft / 2 + 1), of Slaney's scale and norm."""
    bins_hz = np.fft.rfftfreq(n=n_fft, d=1.0 / sr)
    top_hz = float(sr) / 2 if fmax is None else fmax
    edges_hz = _hz_of(np.linspace(_mel_of(fmin), _mel_of(top_hz), n_mels + 2))
    widths, ramps = np.diff(edges_hz), np.subtract.outer(edges_hz, bins_hz)
    weights = np.zeros((n_mels, len(bins_hz)), np.float32)
    for band in range(n_mels):
        rising, falling = -ramps[band] / widths[band], ramps[band + 2] / widths[band + 1]
        weights[band] = np.maximum(0, np.minimum(rising, falling))
    weights *= (2.0 / (edges_hz[2:] - edges_hz[:-2]))[:, np.newaxis]
    return weights


def _mel_of(hz: float) -> float:
    if hz < _LOG_FROM_HZ:
        return hz / (200.0 / 3)
    return float(_LOG_FROM_HZ / (200.0 / 3) + np.log(hz / _LOG_FROM_HZ) / _LOG_STEP)


def _hz_of(mels: Floats) -> Floats:
    hz = 200.0 / 3 * mels
    first = _LOG_FROM_HZ / (200.0 / 3)
    is_log = mels >= first
    hz[is_log] = _LOG_FROM_HZ * np.exp(_LOG_STEP * (mels[is_log] - first))
    return hz


def stft(
    wav: Samples, *, n_fft: int, hop_length: int, win_length: int, center: bool, pad_mode: Any
) -> NDArray[np.complex64]:
    """Librosa's `stft` with its Hann window, as long as the FFT: (n_fft / 2 + 1, frames)."""
    if win_length != n_fft:
        raise ValueError(f"a window of {win_length} samples for an FFT of {n_fft}")
    if center:
        wav = np.pad(wav, n_fft // 2, mode=pad_mode)
    window = 0.5 + 0.5 * np.cos(np.linspace(-np.pi, np.pi, n_fft + 1))[:-1]
    frames = sliding_window_view(wav, n_fft)[::hop_length].T
    return np.fft.rfft(window[:, np.newaxis] * frames, axis=-2).astype(np.complex64)


def trim(wav: Samples, *, top_db: float) -> tuple[Samples, NDArray[np.int64]]:
    """Librosa's `effects.trim`: what lies between the first and the last frame that is not `top_db`
    below the loudest one, and its borders."""
    padded = np.pad(wav, _TRIM_FRAME // 2)
    frames = sliding_window_view(padded, _TRIM_FRAME)[::_TRIM_HOP].T
    power = np.mean(np.square(frames, dtype=np.float32), axis=-2)
    amplitude = np.sqrt(power)
    db = 10.0 * np.log10(np.maximum(_LEAST_AMPLITUDE**2, np.square(amplitude)))
    db -= 10.0 * np.log10(np.maximum(_LEAST_AMPLITUDE**2, amplitude.max() ** 2))
    loud = np.flatnonzero(db > -top_db)
    start, stop = 0, 0
    if loud.size:
        start, stop = int(loud[0]) * _TRIM_HOP, min(len(wav), (int(loud[-1]) + 1) * _TRIM_HOP)
    return wav[start:stop], np.asarray([start, stop])


def lfilter(b: Floats, a: Floats, wav: NDArray[np.floating[Any]]) -> Floats:
    """Scipy's `signal.lfilter`, to within 1e-12 of full scale, for a filter whose response dies
    within a second at 24 kHz, as those of a loudness meter do."""
    size = 1 << (len(wav) + _RESPONSE_SAMPLES).bit_length()
    response = np.fft.rfft(b, size) / np.fft.rfft(a, size)
    spectrum = np.fft.rfft(np.asarray(wav, np.float64), size)
    filtered: Floats = np.fft.irfft(spectrum * response, size)[: len(wav)]
    return filtered
