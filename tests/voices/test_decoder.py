"""A decoding process answers, or its end refuses the file. None stays behind."""

import asyncio
import os
import sys

import numpy as np
import pytest

from app.voices import decoder
from app.voices.decoder import Purpose
from app.voices.unusable_sound import UnusableSound
from tests.support.hostile_uploads import GOOD, RATE, encoded

pytestmark = pytest.mark.parametrize("is_blocking", [False, True], ids=["async", "blocking"])


@pytest.fixture
def decode(is_blocking):
    """Both ways to ask for a file, as one that waits."""

    async def ask(content, purpose=Purpose.UPLOAD):
        if is_blocking:
            return await asyncio.to_thread(decoder.decode_blocking, content, purpose)
        return await decoder.decode(content, purpose)

    return ask


@pytest.mark.parametrize("purpose", [Purpose.STORED, Purpose.SPOKEN, Purpose.WHOLE])
async def test_samples_come_back_as_they_are(decode, purpose):
    decoded = await decode(encoded(GOOD, subtype="FLOAT"), purpose)
    wav = np.frombuffer(decoded.sound, "<f4")
    assert decoded.told == {"rate": RATE}
    np.testing.assert_array_equal(wav[-RATE:], GOOD[len(wav) - RATE : len(wav)])


async def test_an_upload_comes_back_as_a_file_with_what_was_heard(decode):
    decoded = await decode(encoded(GOOD))
    assert decoded.sound.startswith(b"fLaC")
    assert decoded.told["heard"]["speech_s"] > 5
    assert abs(decoded.told["seconds"] - 6) < 0.3


async def test_a_large_file_that_is_refused_early_breaks_nothing(decode):
    with pytest.raises(UnusableSound, match="is no WAV"):
        await decode(bytes(10_000_000))


@pytest.mark.parametrize(
    ("code", "within_s", "problem"),
    [
        ("import os; os.abort()", 60.0, "cannot be decoded"),
        ("import sys; sys.exit(3)", 60.0, "cannot be decoded"),
        ("pass", 60.0, "cannot be decoded"),
        ("import time; time.sleep(60)", 1.0, "takes too long"),
    ],
)
async def test_a_process_that_crashes_or_hangs_refuses_the_file(
    decode, monkeypatch, code, within_s, problem
):
    pids = []
    monkeypatch.setattr(decoder, "command", lambda purpose: (sys.executable, "-c", code))
    monkeypatch.setattr(decoder, "_yield_to_engines", pids.append)
    monkeypatch.setattr(decoder, "WITHIN_S", within_s)
    with pytest.raises(UnusableSound, match=problem):
        await decode(encoded(GOOD))
    (pid,) = pids
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
