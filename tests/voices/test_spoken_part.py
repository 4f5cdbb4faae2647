"""The first ten seconds of what a voice is made of have five seconds of speech."""

import numpy as np
import pytest

from app.voices.spoken_part import find_spoken_part
from app.voices.unusable_sound import UnusableSound
from tests.support.audio_samples import spoken_vowels

RATE = 24_000
SPEECH = spoken_vowels(3, 12.0)


def silence(seconds):
    return np.zeros(round(seconds * RATE), np.float32)


def with_pause(first_s, pause_s, second_s):
    first, second = SPEECH[: round(first_s * RATE)], SPEECH[: round(second_s * RATE)]
    return np.concatenate([first, silence(pause_s), second])


@pytest.mark.parametrize(
    ("before_s", "behind_s"), [(0, 0), (10, 0), (0, 10), (30, 30)], ids=lambda s: f"{s} s"
)
def test_it_is_found_within_silence_of_any_length(before_s, behind_s):
    wav = np.concatenate([silence(before_s), SPEECH, silence(behind_s)])
    found = find_spoken_part(wav, RATE)
    assert abs(found.start / RATE - before_s) < 0.3
    assert abs(found.stop / RATE - before_s - 12) < 0.4


@pytest.mark.parametrize(
    ("wav", "problem"),
    [
        (silence(0), "is 0.00 s long; it must have 5 s of speech"),
        (SPEECH[: round(4.9 * RATE)], "is 4.90 s long"),
        (silence(10), "is silent"),
        (np.concatenate([silence(9), SPEECH[: 4 * RATE], silence(9)]), r"has [34]\.\d s of speech"),
        (with_pause(2, 6, 2), r"has [34]\.\d s of speech within 10 s of its first word"),
        (with_pause(2, 8, 12), r"has [12]\.\d s of speech within 10 s of its first word"),
    ],
    ids=["nothing", "short", "silence", "four seconds", "two words", "speech too late"],
)
def test_less_is_refused_with_what_is_there(wav, problem):
    with pytest.raises(UnusableSound, match=problem):
        find_spoken_part(wav, RATE)


def test_five_seconds_are_enough():
    assert find_spoken_part(with_pause(3, 2, 3), RATE).stop > 7.5 * RATE
