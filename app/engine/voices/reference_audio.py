"""Reference recordings: a file's samples, and whether a voice can be made of them.

Knows nothing about how that is done.
"""

import io
from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray

from app.errors import BadRequest, ConfigError

MIN_S = 1.0
MAX_S = 300.0  # ours: the voice encoder reads all of it
MIN_PEAK = 1e-3  # -60 dBFS; below is silence


def load_reference(path: Path) -> tuple[NDArray[np.float32], int]:
    """A recording as mono samples and their rate.

    Raises ConfigError where the file cannot be read, BadRequest where it is not a usable recording.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ConfigError(f"cannot read {path}: {error.strerror}") from error
    return decode_reference(content, str(path))


def decode_reference(content: bytes, source: str) -> tuple[NDArray[np.float32], int]:
    """As `load_reference`, of a file's content; `source` is what an error calls it."""
    try:
        samples, sample_rate = soundfile.read(io.BytesIO(content), dtype="float32", always_2d=True)
    except soundfile.LibsndfileError as error:
        raise refusal(source, f"is not a sound file ({error})") from error
    wav: NDArray[np.float32] = samples.mean(axis=1)
    check_reference(wav, sample_rate, source)
    return wav, int(sample_rate)


def check_reference(wav: NDArray[np.float32], sample_rate: int, source: str) -> None:
    """Raises BadRequest where it is too short, too long, silent or not finite."""
    if wav.ndim != 1 or wav.dtype != np.float32:
        raise refusal(source, f"must be mono float32, but is {wav.dtype} {wav.shape}")
    seconds = len(wav) / sample_rate
    if not MIN_S <= seconds <= MAX_S:
        raise refusal(source, f"is {seconds:.2f} s long; it must be {MIN_S:g} s to {MAX_S:g} s")
    if not np.isfinite(wav).all():
        raise refusal(source, "has samples that are not finite numbers")
    if np.abs(wav).max() < MIN_PEAK:
        raise refusal(source, "is silent")


def refusal(source: str, fault: str) -> BadRequest:
    return BadRequest(f"{source} {fault}", param="voice")
