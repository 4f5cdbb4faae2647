import pytest
from pydantic import ValidationError

from app.hearing_settings import HearingSettings, VoiceActivitySettings


def test_the_defaults_need_nothing():
    settings = HearingSettings()
    assert (settings.recogniser, settings.host) == ("pocketsphinx", "subprocess")


@pytest.mark.parametrize(
    ("given", "missing"),
    [
        ({"host": "sidecar"}, "sidecar_url"),
        ({"recogniser": "sherpa-onnx"}, "recogniser_model"),
        ({"voice_activity": {"num_voiced": 5, "num_frames": 4}}, "num_voiced"),
        ({"voice_activity": {"detector": "loud"}}, "detector"),
        ({"recognizer": "pocketsphinx"}, "recognizer"),
    ],
)
def test_settings_that_cannot_work_are_refused(given, missing):
    with pytest.raises(ValidationError, match=missing):
        HearingSettings(**given)


def test_the_model_of_a_sidecar_is_its_own_matter():
    HearingSettings(host="sidecar", sidecar_url="ws://127.0.0.1:1", recogniser="sherpa-onnx")


def test_every_frame_may_have_to_be_voiced():
    VoiceActivitySettings(num_voiced=4, num_frames=4)
