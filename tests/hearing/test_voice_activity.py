import pytest

from app.hearing.voice_activity import VoiceActivity, VoiceChange

FRAME = bytes(640)


class ScriptedDetector:
    num_samples = 320  # 20 ms

    def __init__(self, probabilities):
        self._probabilities = iter(probabilities)

    def voice_probability(self, frame):
        return next(self._probabilities)


def changes(probabilities, **settings):
    """By the number of the frame at which each is noticed, from 1."""
    given = {"threshold": 0.5, "num_voiced": 3, "num_frames": 4, "silence_s": 0.1} | settings
    activity = VoiceActivity(ScriptedDetector(probabilities), **given)
    found = [(at, activity.feed(FRAME)) for at in range(1, len(probabilities) + 1)]
    return {at: change for at, change in found if change is not None}


def test_m_voiced_frames_of_the_last_n_begin_a_voice():
    assert changes([0, 0.9, 0, 0.9, 0.9]) == {5: VoiceChange("began", pytest.approx(0.02))}


def test_voiced_frames_that_lie_too_far_apart_begin_nothing():
    assert changes([0.9, 0, 0, 0.9, 0, 0, 0.9, 0, 0, 0.9]) == {}


def test_a_stricter_trigger_notices_later():
    voice = [0.9] * 12
    noticed = {m: min(changes(voice, num_voiced=m, num_frames=m)) for m in (1, 3, 8)}
    assert noticed == {1: 1, 3: 3, 8: 8}


def test_a_voice_ends_after_its_silence_and_says_when_it_ended():
    found = changes([0.9] * 3 + [0] * 8)
    assert found[8] == VoiceChange("ended", pytest.approx(0.06))


def test_a_voice_that_goes_on_has_lasted_once():
    found = changes([0] + [0.9] * 12, lasting_s=0.1)
    assert list(found.items())[1:] == [(6, VoiceChange("lasted", pytest.approx(0.12)))]


def test_a_voice_that_ends_before_has_not_lasted():
    found = changes([0.9] * 4 + [0] * 8 + [0.9] * 4, lasting_s=0.1)
    assert [change.kind for change in found.values()] == ["began", "ended", "began"]


def test_a_voice_that_pauses_lasts_when_it_goes_on():
    found = changes([0.9] * 3 + [0] * 4 + [0.9], lasting_s=0.1)
    assert [(at, change.kind) for at, change in found.items()] == [(3, "began"), (8, "lasted")]


def test_a_pause_that_is_shorter_than_the_silence_ends_nothing():
    assert list(changes([0.9] * 3 + [0] * 4 + [0.9] + [0] * 4)) == [3]


def test_a_voice_goes_on_a_little_below_the_threshold():
    assert list(changes([0.9] * 3 + [0.4] * 20)) == [3]
    assert list(changes([0.9] * 3 + [0.3] * 20)) == [3, 8]
    assert list(changes([0.4] * 20)) == []


def test_a_second_voice_needs_frames_of_its_own():
    found = changes([0.9] * 3 + [0] * 5 + [0.9] * 2 + [0] * 3 + [0.9] * 3)
    assert [change.kind for change in found.values()] == ["began", "ended", "began"]
    assert found[16].at_s == pytest.approx(13 * 0.02)


def test_a_voice_that_goes_on_begins_anew_after_a_restart():
    activity = VoiceActivity(ScriptedDetector([0.9] * 6), 0.5, 3, 4, 0.1)
    assert [activity.feed(FRAME) for _ in range(3)][2].kind == "began"
    activity.restart()
    assert not activity.is_voice
    again = [activity.feed(FRAME) for _ in range(3)]
    assert again == [None, None, VoiceChange("began", pytest.approx(0.06))]
