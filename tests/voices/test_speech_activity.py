"""Where a recording has speech, and what is told of its sound."""

import json
from dataclasses import asdict

import numpy as np
import pytest

from app.voices.speech_activity import find_speech, parse_heard
from tests.support.audio_samples import spoken_vowels

RATE = 24_000
VOWELS = spoken_vowels(3, 6.0)


def noise(seconds, dbfs, seed=1):
    samples = np.random.default_rng(seed).standard_normal(round(seconds * RATE))
    return (10 ** (dbfs / 20) * samples).astype(np.float32)


def within_silence(before_s=10.0, behind_s=4.0, dbfs=-120.0):
    wav = np.concatenate(
        [np.zeros(round(before_s * RATE)), VOWELS, np.zeros(round(behind_s * RATE))]
    ).astype(np.float32)
    return wav + noise(len(wav) / RATE, dbfs)


@pytest.mark.parametrize("dbfs", [-120, -60, -45, -35, -28])
def test_speech_is_found_within_silence_or_room_noise(dbfs):
    found = find_speech(within_silence(dbfs=dbfs), RATE)
    assert abs(found.start / RATE - 9.9) < 0.25
    assert abs(found.stop / RATE - 16.1) < 0.25
    assert abs(found.heard.speech_s - 6.0) < 0.3


def test_a_click_before_the_speech_is_not_speech():
    wav = within_silence()
    wav[RATE : RATE + 200] = 0.9
    assert abs(find_speech(wav, RATE).start / RATE - 9.9) < 0.1


@pytest.mark.parametrize("gain_db", [0, -20, -35])
@pytest.mark.parametrize("offset", [0.0, 0.2])
def test_the_level_and_an_offset_do_not_move_the_borders(gain_db, offset):
    wav = within_silence() * np.float32(10 ** (gain_db / 20))
    found, plain = find_speech(wav + np.float32(offset), RATE), find_speech(within_silence(), RATE)
    assert (found.start, found.stop) == (plain.start, plain.stop)
    assert found.heard.level_dbfs == pytest.approx(plain.heard.level_dbfs + gain_db, abs=0.2)


@pytest.mark.parametrize(
    "wav",
    [
        np.zeros(0, np.float32),
        np.zeros(10 * RATE, np.float32),
        np.full(10 * RATE, 0.5, np.float32),
        noise(10, -30),
        VOWELS[: RATE // 2],
        VOWELS * np.float32(0.003),
    ],
    ids=["nothing", "zeros", "an offset", "noise", "half a second", "too quiet"],
)
def test_what_is_no_speech_has_none(wav):
    assert find_speech(wav, RATE) is None


def test_long_pauses_are_not_speech():
    pause = np.zeros(2 * RATE, np.float32)
    wav = np.concatenate([VOWELS[: 3 * RATE], pause, VOWELS[3 * RATE :]])
    found = find_speech(wav, RATE)
    assert found.stop - found.start == len(wav)
    assert found.heard.speech_s == pytest.approx(6.0, abs=0.3)


@pytest.mark.parametrize(
    ("wav", "warnings"),
    [
        (VOWELS, ()),
        (within_silence(0, 0, dbfs=-40), ()),
        (within_silence(0, 0, dbfs=-28), ("noisy",)),
        (np.clip(VOWELS * 3, -1, 1), ("clipped",)),
        (np.clip(VOWELS * 3, -1, 1) / 4, ("clipped",)),
        (VOWELS / 30, ("quiet",)),
        (np.concatenate([VOWELS, np.zeros(9 * RATE, np.float32), VOWELS[:RATE]]), ("sparse",)),
    ],
    ids=["good", "some noise", "noise", "clipped", "clipped, then quieter", "quiet", "pauses"],
)
def test_what_may_make_a_worse_voice_is_warned_of(wav, warnings):
    assert find_speech(wav, RATE).heard.warnings == warnings


def test_noise_is_told_where_there_are_pauses_alone():
    assert find_speech(within_silence(0, 0, dbfs=-40), RATE).heard.noise_dbfs == pytest.approx(
        -40, abs=1.5
    )
    tone = 0.3 * np.sin(np.arange(2 * RATE) * 0.05).astype(np.float32)
    for pause in range(12):  # of 20 ms each
        tone[pause * 3840 : pause * 3840 + 480] = 0
    assert find_speech(tone, RATE).heard.noise_dbfs is None


def test_what_was_heard_is_the_same_after_json():
    heard = find_speech(np.clip(VOWELS * 3, -1, 1), RATE).heard
    assert parse_heard(json.loads(json.dumps(asdict(heard)))) == heard
