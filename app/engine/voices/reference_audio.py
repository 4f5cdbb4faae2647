"""Reference recordings: the samples of a file, which another process decodes.

Knows nothing about enrolment.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from app.errors import BadRequest
from app.voices.decoder import Purpose, decode_blocking
from app.voices.unusable_sound import UnusableSound

MIN_S = 1.0  # less gives no voice; of a recording that stays as it is nothing more is asked
MIN_PEAK = 1e-3  # -60 dBFS; below is silence


@dataclass(frozen=True, slots=True, eq=False)
class ReferenceAudio:
    """Mono float32 samples of which a voice can be made. `source` names them in errors.

    Raises BadRequest where the recording is too short, silent or not finite.
    """

    wav: NDArray[np.float32]
    sample_rate: int
    source: str

    def __post_init__(self) -> None:
        wav = self.wav
        if wav.ndim != 1 or wav.dtype != np.float32:
            raise refusal(self.source, f"must be mono float32, but is {wav.dtype} {wav.shape}")
        seconds = len(wav) / self.sample_rate
        if seconds < MIN_S:
            message = f"is {seconds:.2f} s long; it must have at least {MIN_S:g} s"
            raise refusal(self.source, message)
        if not np.isfinite(wav).all():
            raise refusal(self.source, "has samples that are not finite numbers")
        if np.abs(wav).max() < MIN_PEAK:
            raise refusal(self.source, "is silent")


def read_reference(content: bytes, purpose: Purpose, source: str) -> ReferenceAudio:
    """The recording in a sound file of the operator, or in one that was made of an upload. Blocks
    while a process decodes it. Raises BadRequest where no voice can be made of it."""
    try:
        decoded = decode_blocking(content, purpose)
    except UnusableSound as error:
        raise refusal(source, str(error)) from error
    wav = np.frombuffer(bytearray(decoded.sound), "<f4")  # torch wants samples that may be written
    return ReferenceAudio(wav, decoded.told["rate"], source)


def refusal(source: str, problem: str) -> BadRequest:
    return BadRequest(f"{source} {problem}", param="voice")
