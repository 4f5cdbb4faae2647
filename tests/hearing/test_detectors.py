import numpy as np
import pytest

from app.hearing.detectors import SileroDetector, WebRtcDetector, new_detector, num_samples_of
from app.hearing.voice_activity import VoiceActivity
from app.hearing_settings import VoiceActivitySettings
from benchmarks.recorded_call import read_call


@pytest.fixture(scope="module")
def call():
    return read_call()


def probabilities(detector, pcm):
    size = detector.num_samples
    frames = [pcm[at : at + size] for at in range(0, len(pcm) - size + 1, size)]
    return np.array([detector.voice_probability(frame.astype("<i2").tobytes()) for frame in frames])


def one_interruption(call):
    moment = call.of_kind("interruption")[0]
    return call.cut(moment.began_s - 0.5, moment.ended_s)


@pytest.mark.parametrize("new", [SileroDetector, WebRtcDetector])
def test_speech_is_voice_and_a_pause_is_not(call, new):
    detector = new()
    found = probabilities(detector, one_interruption(call))
    num_before = round(0.5 * 16_000 / detector.num_samples)
    assert (found[: num_before - 1] < 0.5).all()
    assert (found[num_before + 3 :] >= 0.5).mean() > 0.6


def test_two_callers_do_not_hear_each_other(call):
    pcm = one_interruption(call)
    alone = probabilities(SileroDetector(), pcm)
    ours, other = SileroDetector(), SileroDetector()
    mixed = []
    for at in range(0, len(pcm) - 511, 512):
        mixed.append(ours.voice_probability(pcm[at : at + 512].astype("<i2").tobytes()))
        other.voice_probability(bytes(1024))
    assert np.allclose(mixed, alone)


def test_a_new_detector_remembers_nothing(call):
    pcm = one_interruption(call)
    first = probabilities(SileroDetector(), pcm)
    assert np.allclose(probabilities(SileroDetector(), pcm), first)


@pytest.mark.parametrize("name", ["silero", "webrtc"])
def test_the_length_of_a_frame_is_known_without_a_detector(name):
    assert new_detector(name).num_samples == num_samples_of(name)


def test_the_default_notices_every_interruption_of_the_call_within_a_quarter_second(call):
    voice = VoiceActivitySettings()
    trigger = voice.threshold, voice.num_voiced, voice.num_frames, voice.silence_s
    for moment in call.of_kind("interruption"):
        activity = VoiceActivity(new_detector(voice.detector), *trigger)
        pcm = call.cut(moment.began_s - 0.3, moment.began_s + 0.4)
        noticed_s = None
        for at in range(0, len(pcm) - 511, 512):
            if activity.feed(pcm[at : at + 512].astype("<i2").tobytes()) is not None:
                noticed_s = (at + 512) / 16_000 - 0.3
                break
        assert noticed_s is not None, moment
        assert -0.02 < noticed_s <= 0.25, moment
