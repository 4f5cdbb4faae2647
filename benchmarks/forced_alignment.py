"""When the words of a sound are said, by pocketsphinx's forced alignment: the reference of word
times. Pocketsphinx knows nothing about the model. Its frames are 10 ms long."""

import re
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import soxr
from numpy.typing import NDArray
from pocketsphinx import Decoder

RECOGNISER_HZ = 16_000
FRAME_MS = 10.0
PAUSE_S = 0.3  # of silence before and after
PEAK = 0.7
LOUD = 99.9  # this percentile becomes the peak

_LETTERS = re.compile(r"[a-z']+")
_VARIANT = re.compile(r"\(\d+\)$")


class Heard(NamedTuple):
    word: str
    start_ms: float
    end_ms: float


class Aligner:
    """Of English."""

    def __init__(self) -> None:
        self._decoder = Decoder(samprate=RECOGNISER_HZ, lm=None, loglevel="FATAL")

    def align(
        self, wav: NDArray[np.float32], rate: int, words: Sequence[str]
    ) -> list[Heard] | None:
        """One entry for each of `words`. None: they cannot be laid on the sound, or one of them is
        not in the dictionary."""
        said = ["".join(_LETTERS.findall(word.lower())) for word in words]
        if not all(said) or any(self._decoder.lookup_word(word) is None for word in said):
            return None
        loud = float(np.percentile(np.abs(wav), LOUD)) or 1.0
        sound = soxr.resample(np.clip(wav * (PEAK / loud), -1, 1), rate, RECOGNISER_HZ)
        sound = np.pad(sound, round(PAUSE_S * RECOGNISER_HZ))
        self._decoder.set_align_text(" ".join(said))
        self._decoder.start_utt()
        self._decoder.process_raw((sound * 32767).astype(np.int16).tobytes(), full_utt=True)
        self._decoder.end_utt()
        found = [
            Heard(
                _VARIANT.sub("", part.word),
                part.start_frame * FRAME_MS - 1e3 * PAUSE_S,
                (part.end_frame + 1) * FRAME_MS - 1e3 * PAUSE_S,
            )
            for part in self._decoder.seg() or ()
            if part.word[0] not in "<["
        ]
        return found if [heard.word for heard in found] == said else None
