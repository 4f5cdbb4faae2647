"""Where voice begins and ends in a stream of frames: m voiced frames of the last n begin it, and
silence ends it. Between them it may have lasted for a given time.

Knows nothing about utterances, words or the clock: times are seconds of the frames that were fed.
"""

from collections import deque
from dataclasses import dataclass
from typing import Literal, Protocol

from app.hearing.sound import BYTES_PER_SAMPLE, RATE

HYSTERESIS = 0.15  # voice goes on until the probability is this much below the threshold


class VoiceDetector(Protocol):
    """Belongs to one call: its state is that of one stream."""

    @property
    def num_samples(self) -> int:
        """Of a frame, at 16 kHz."""
        ...

    def voice_probability(self, frame: bytes) -> float: ...


@dataclass(frozen=True, slots=True)
class VoiceChange:
    kind: Literal["began", "lasted", "ended"]
    at_s: float  # the beginning of the first voiced frame, or the end of the last one until now


class VoiceActivity:
    """`num_voiced` of the last `num_frames` frames begin a voice."""

    def __init__(
        self,
        detector: VoiceDetector,
        threshold: float,
        num_voiced: int,
        num_frames: int,
        silence_s: float,
        *,
        lasting_s: float = 0.0,
    ) -> None:
        """A voice that goes on `lasting_s` after its beginning has lasted; 0: that is not told."""
        self._detector = detector
        self._threshold = threshold
        self._num_voiced = num_voiced
        self._recent: deque[bool] = deque(maxlen=max(num_voiced, num_frames))
        self._silence_s = silence_s
        self._lasting_s = lasting_s
        self._frame_s = detector.num_samples / RATE
        self._num_fed = 0
        self._is_voice = False
        self._voiced_until_s = 0.0
        self._lasts_from_s: float | None = None  # None: it has lasted, or need not

    @property
    def is_voice(self) -> bool:
        return self._is_voice

    @property
    def fed_s(self) -> float:
        return self._num_fed * self._frame_s

    def feed(self, frame: bytes) -> VoiceChange | None:
        assert len(frame) == self._detector.num_samples * BYTES_PER_SAMPLE
        probability = self._detector.voice_probability(frame)
        self._num_fed += 1
        end_s = self.fed_s
        if self._is_voice:
            return self._going_on(probability, end_s)
        self._recent.append(probability >= self._threshold)
        if sum(self._recent) < self._num_voiced:
            return None
        first = self._recent.index(True)
        began_s = end_s - (len(self._recent) - first) * self._frame_s
        self._recent.clear()
        self._is_voice = True
        self._voiced_until_s = end_s
        self._lasts_from_s = began_s + self._lasting_s if self._lasting_s else None
        return VoiceChange("began", began_s)

    def _going_on(self, probability: float, end_s: float) -> VoiceChange | None:
        if probability >= max(self._threshold - HYSTERESIS, 0.01):
            self._voiced_until_s = end_s
            if self._lasts_from_s is not None and end_s >= self._lasts_from_s - 1e-6:
                self._lasts_from_s = None
                return VoiceChange("lasted", end_s)
        elif end_s - self._voiced_until_s >= self._silence_s:
            self._is_voice = False
            return VoiceChange("ended", self._voiced_until_s)
        return None

    def restart(self) -> None:
        """A voice that goes on begins anew."""
        self._is_voice = False
        self._recent.clear()
