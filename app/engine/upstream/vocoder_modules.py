"""Upstream's modules of the vocoder that import nothing large. Import them from here only.

Their files also import scipy.signal for one window, 1.8 s of CPU time, and omegaconf for a default
value, 0.3 s (2026-11).
"""

import numpy as np
from numpy.typing import NDArray

from app.engine.upstream.lazy_import import with_stand_ins


def hann_window(name: str, num_points: int, fftbins: bool) -> NDArray[np.float64]:
    """In the place of scipy.signal.get_window. Equal to it in float32."""
    if name != "hann" or not fftbins:
        raise ValueError(f"there is no window {name!r} with fftbins={fftbins}")
    window: NDArray[np.float64] = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(num_points) / num_points)
    return window


with with_stand_ins("omegaconf", "scipy", names={"scipy.signal.get_window": hann_window}):
    from chatterbox.models.s3gen.f0_predictor import ConvRNNF0Predictor
    from chatterbox.models.s3gen.flow import CausalMaskedDiffWithXvec
    from chatterbox.models.s3gen.hifigan import HiFTGenerator, ResBlock, Snake

__all__ = [
    "CausalMaskedDiffWithXvec",
    "ConvRNNF0Predictor",
    "HiFTGenerator",
    "ResBlock",
    "Snake",
]
