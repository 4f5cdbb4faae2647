"""Where the last word of a segment ends: where its sound falls silent.

T3's attention leaves the last word before its sound ends: nothing but a full stop follows that it
could look at. Measured 2026-11-30 on 298 utterances of `embedded` against a forced alignment: by
the attention the word ends 94 ms early (median; spread p50 and p90 60 and 160 ms), by the sound
20 ms early (20 and 60 ms). Pure. Knows nothing about sessions.
"""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from app.core import SAMPLES_PER_TOKEN, FinishReason
from app.engine.s3gen.messages import SegmentAudio
from app.word_marks import LEAST_TOKENS, WordMark

FRAME = 240  # samples whose loudness is measured: 10 ms
QUIET = 10 ** (-30 / 20)  # of the word's loudest frame; -25 and -35 dB place it as well


class LastWord:
    """Of one segment. Takes the parts of its sound in order."""

    def __init__(self, number: int) -> None:
        """`number`: of the word in its segment. -1: the segment has no words."""
        self._number = number
        self._mark: WordMark | None = None
        self._sound = np.empty(0, np.float32)  # from the word's start on

    def placed(self, audio: SegmentAudio) -> SegmentAudio:
        """The part. With the last one of a segment that ended by itself, the word is told again."""
        self._mark = next(
            (mark for mark in audio.words if mark.word == self._number and not mark.is_estimate),
            self._mark,
        )
        if self._mark is None:
            return audio
        end = audio.start + len(audio.pcm)
        begins = round(self._mark.start_token * SAMPLES_PER_TOKEN)
        sound = np.concatenate((self._sound, audio.pcm))
        self._sound = sound[max(0, begins - (end - len(sound))) :]
        if audio.finish is not FinishReason.STOP or (at := falls_silent(self._sound)) is None:
            return audio
        spoken = (end - len(self._sound) + at) / SAMPLES_PER_TOKEN
        least = self._mark.start_token + LEAST_TOKENS
        mark = replace(self._mark, end_token=max(spoken, least))
        others = tuple(each for each in audio.words if each.word != self._number)
        return replace(audio, words=(*others, mark))


def falls_silent(sound: NDArray[np.float32]) -> int | None:
    """The sample after the last loud frame. None: the sound is loud to its end, or too short to
    tell. sound: (N,) float32."""
    frames = sound[len(sound) % FRAME :].reshape(-1, FRAME)
    loudness = np.square(frames).mean(1)
    is_loud = loudness > QUIET**2 * loudness.max(initial=0.0)
    if not is_loud.any() or is_loud[-1]:
        return None
    return len(sound) - FRAME * int(is_loud[::-1].argmax())
