"""The vendors' own SDKs, unmodified and in an environment of their own, against the application."""

import json
import subprocess

import pytest

from interop.environments import ROOT, python_of
from tests.support.api_clients import serving
from tests.support.fakes import FakeSynthesizer

pytestmark = pytest.mark.long  # installs packages


@pytest.fixture
def synthesizer():
    return FakeSynthesizer()


def heard_by(name, synthesizer):
    with serving(synthesizer) as url:
        command = [python_of("sdks"), "-m", f"interop.checks.{name}", url]
        ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    return json.loads(ran.stdout.splitlines()[-1])


def test_cartesias_sdk_hears_what_is_spoken(synthesizer):
    seconds = synthesizer.num_samples / 24_000
    assert heard_by("cartesia_sdk", synthesizer) == {
        "seconds": pytest.approx(seconds),
        "ends": "done",
        "default_seconds": pytest.approx(seconds, abs=0.01),
        "ends_after_cancel": True,
        "unknown_voice": ["voice_not_found"],
        "bytes": synthesizer.num_samples * 2,
        "events": "done",
        "refused": 404,
    }


def test_elevenlabs_sdk_hears_what_is_spoken(synthesizer):
    heard = heard_by("elevenlabs_sdk", synthesizer)
    assert heard["stream"] == heard["timed"] == synthesizer.num_samples * 2
    assert heard["realtime"] == synthesizer.num_samples * 2
    assert heard["file"] == "ff"  # the first byte of an MP3 frame
    assert heard["voices"] == list(synthesizer.card().voices)
    assert heard["refused"] == [404, "voice_not_found"]
