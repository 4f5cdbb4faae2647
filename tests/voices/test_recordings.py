"""Every upload is a good recording, or it is refused with the reason."""

import asyncio
import io
import os
import re
import sys
import tracemalloc

import numpy as np
import pytest
import soundfile

from app.errors import BadRequest
from app.voices import decoder_process, recordings
from app.voices.recordings import RecordingReader
from tests.support.audio_samples import spoken_vowels
from tests.support.hostile_uploads import GOOD, HOSTILE, RATE, encoded, silence


async def read(content):
    return await RecordingReader().read(content, "audio_sample")


@pytest.mark.full
@pytest.mark.parametrize(
    ("rate", "kind", "channels"),
    [
        (24_000, "WAV", 1),
        (8000, "WAV", 2),
        (44_100, "FLAC", 2),
        (48_000, "OGG", 1),
        (16_000, "MP3", 1),
    ],
)
async def test_a_good_recording_becomes_mono_flac_at_24_khz(rate, kind, channels):
    samples = spoken_vowels(3, 6.0, rate)
    recording = await read(encoded(np.stack([samples] * channels, 1), rate, kind))
    wav, read_rate = soundfile.read(io.BytesIO(recording.flac))
    assert (read_rate, wav.ndim) == (24_000, 1)
    assert abs(len(wav) / read_rate - 6.0) < 0.1
    assert abs(recording.seconds - 6.0) < 0.1


@pytest.mark.full
async def test_every_hostile_file_is_refused_with_its_reason():
    reader = RecordingReader()

    async def refusal(content):
        try:
            await reader.read(content, "audio_sample")
        except BadRequest as refused:
            return f"{refused.code}, {refused.message}"
        return "was accepted"

    refusals = await asyncio.gather(*(refusal(content) for _, content, _ in HOSTILE))
    wrong = [
        (name, message)
        for (name, _, reason), message in zip(HOSTILE, refusals, strict=True)
        if not re.search(f"invalid_audio, audio_sample: the recording .*({reason})", message)
    ]
    assert not wrong


async def test_a_huge_recording_takes_no_memory_of_the_server():
    bomb = encoded(silence(600), kind="FLAC")  # 115 MB of floats
    tracemalloc.start()
    try:
        with pytest.raises(BadRequest):
            await read(bomb)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < len(bomb) + 4_000_000


def test_the_decoder_stops_reading_after_thirty_seconds(monkeypatch):
    read_frames = []

    class Counting(soundfile.SoundFile):
        def read(self, *args, **options):
            block = super().read(*args, **options)
            read_frames.append(len(block))
            return block

    monkeypatch.setattr(decoder_process.soundfile, "SoundFile", Counting)
    with pytest.raises(decoder_process.Refused, match="longer"):
        decoder_process.decode(encoded(silence(600), kind="FLAC"))
    assert sum(read_frames) <= 30 * RATE + decoder_process.BLOCK


@pytest.mark.parametrize(
    ("code", "problem"),
    [
        ("import os; os.abort()", "cannot be decoded"),
        ("import sys; sys.exit(3)", "cannot be decoded"),
        ("pass", "cannot be decoded"),
        ("import time; time.sleep(60)", "takes too long"),
    ],
)
async def test_a_decoder_that_crashes_or_hangs_refuses_the_recording(monkeypatch, code, problem):
    started = []
    spawn = asyncio.create_subprocess_exec

    async def spawned(*command, **options):
        started.append(await spawn(sys.executable, "-c", code, **options))
        return started[-1]

    monkeypatch.setattr(recordings.asyncio, "create_subprocess_exec", spawned)
    monkeypatch.setattr(recordings, "WITHIN_S", 1.0)
    with pytest.raises(BadRequest, match=problem):
        await read(encoded(GOOD))
    (process,) = started
    assert process.returncode is not None
    with pytest.raises(ProcessLookupError):
        os.kill(process.pid, 0)
