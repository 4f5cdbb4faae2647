"""Reference recordings: the samples of a file, checked once.

Knows nothing about enrolment.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from app.errors import BadRequest
from app.voices.sound_file import UnusableSound, read_sound

MIN_S = 1.0
MAX_S = 300.0  # our limit: the voice encoder reads all of it
RATES = (1000, 768_000)  # Hz
MIN_PEAK = 1e-3  # -60 dBFS; below is silence


@dataclass(frozen=True, slots=True, eq=False)
class ReferenceAudio:
    """Mono float32 samples of which a voice can be made. `source` names them in errors.

    Raises BadRequest where the recording is too short, too long, silent or not finite.
    """

    wav: NDArray[np.float32]
    sample_rate: int
    source: str

    def __post_init__(self) -> None:
        wav = self.wav
        if wav.ndim != 1 or wav.dtype != np.float32:
            raise refusal(self.source, f"must be mono float32, but is {wav.dtype} {wav.shape}")
        seconds = len(wav) / self.sample_rate
        if not MIN_S <= seconds <= MAX_S:
            message = f"is {seconds:.2f} s long; it must be {MIN_S:g} s to {MAX_S:g} s"
            raise refusal(self.source, message)
        if not np.isfinite(wav).all():
            raise refusal(self.source, "has samples that are not finite numbers")
        if np.abs(wav).max() < MIN_PEAK:
            raise refusal(self.source, "is silent")


def decode_reference(content: bytes, source: str) -> ReferenceAudio:
    """The recording in a sound file of the operator, or in one that the library made. Raises
    BadRequest where no voice can be made of it."""
    try:
        wav, sample_rate = read_sound(content, 2 * MAX_S, RATES)
    except UnusableSound as error:
        raise refusal(source, str(error)) from error
    return ReferenceAudio(wav, sample_rate, source)


def refusal(source: str, problem: str) -> BadRequest:
    return BadRequest(f"{source} {problem}", param="voice")
