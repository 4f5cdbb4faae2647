"""What is told of recordings that are accepted, of a synthesiser's voices where it is installed."""

import shutil

import numpy as np
import pytest

from app.voices.decoder_process import decode_upload
from tests.support.hostile_uploads import RATE, encoded
from tests.voices.test_reverberation import in_room
from training.corpus import held_out
from training.synthesise_corpus import flite

pytestmark = [
    pytest.mark.full,
    pytest.mark.skipif(shutil.which("flite") is None, reason="flite is not installed"),
]

VOICES = ("slt", "rms", "awb", "kal16")
GAP = np.zeros(RATE // 2, np.float32)


def read_by(voice, first=0, seconds=8.0):
    parts = []
    for sentence in held_out()[first:]:
        if sum(map(len, parts)) > seconds * RATE:
            break
        parts += [flite(sentence.text, voice)[0], GAP]
    return np.concatenate(parts).astype(np.float32)


def warnings(wav):
    return decode_upload(encoded(0.9 * wav / np.abs(wav).max()))[1].warnings


def chord(num_samples, dbfs):
    time = np.arange(num_samples) / RATE
    sound = sum(np.sin(2 * np.pi * hz * time + hz) for hz in (220, 277, 330, 440, 880))
    return sound / np.sqrt(np.mean(sound**2)) * 10 ** (dbfs / 20)


@pytest.mark.parametrize("voice", VOICES)
@pytest.mark.parametrize("first", [0, 8])
def test_a_good_recording_has_no_warning(voice, first):
    assert warnings(read_by(voice, first)) == ()


@pytest.mark.parametrize("voice", VOICES)
def test_an_echo_is_warned_of(voice):
    assert "echo" in warnings(in_room(read_by(voice), 0.7))
    assert warnings(in_room(read_by(voice), 0.15)) == ()


@pytest.mark.parametrize("pair", [("slt", "rms"), ("slt", "kal16"), ("kal16", "slt")])
@pytest.mark.parametrize("seconds", [(6.0, 6.0), (3.0, 9.0)])
def test_two_people_of_unlike_pitch_are_warned_of(pair, seconds):
    both = [read_by(voice, 0, share) for voice, share in zip(pair, seconds, strict=True)]
    assert warnings(np.concatenate(both)) == ("several_voices",)


@pytest.mark.parametrize("voice", VOICES)
def test_loud_music_is_warned_of_as_noise(voice):
    speech = read_by(voice)
    level = 10 * np.log10(np.mean(speech**2))
    assert "noisy" in warnings(speech + chord(len(speech), level - 10))
    assert warnings(speech + chord(len(speech), level - 30)) == ()
