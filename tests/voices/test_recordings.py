"""Every upload is a good recording, or it is refused with the reason."""

import asyncio
import io
import re
import tracemalloc

import numpy as np
import pytest
import soundfile

from app.errors import BadRequest
from app.voices import decoder_process, sound_file
from app.voices.recordings import RecordingReader
from app.voices.unusable_sound import UnusableSound
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


@pytest.mark.parametrize(
    "corpus",
    [
        pytest.param(HOSTILE[::10], id="some"),
        pytest.param(HOSTILE, id="all", marks=pytest.mark.long),
    ],
)
async def test_the_decoding_process_refuses_a_hostile_file_with_its_reason(corpus):
    reader = RecordingReader()

    async def refusal(content):
        try:
            await reader.read(content, "audio_sample")
        except BadRequest as refused:
            return f"{refused.code}, {refused.message}"
        return "was accepted"

    refusals = await asyncio.gather(*(refusal(content) for _, content, _ in corpus))
    wrong = [
        (name, message)
        for (name, _, reason), message in zip(corpus, refusals, strict=True)
        if not re.search(f"invalid_audio, audio_sample: the recording .*({reason})", message)
    ]
    assert not wrong


async def test_a_huge_recording_takes_no_memory_of_the_server():
    bomb = encoded(silence(600), kind="FLAC")  # 58 MB of floats
    tracemalloc.start()
    try:
        with pytest.raises(BadRequest):
            await read(bomb)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < len(bomb) + 4_000_000


@pytest.mark.parametrize("kind", ["FLAC", "OGG"])
def test_the_decoder_stops_reading_at_its_limit(monkeypatch, kind):
    num_samples = []
    samples_of = sound_file._samples

    def counting(frame):
        num_samples.append(frame.samples)
        return samples_of(frame)

    monkeypatch.setattr(sound_file, "_samples", counting)
    with pytest.raises(UnusableSound, match="longer"):
        decoder_process.decode_upload(encoded(silence(600), kind=kind))
    assert sum(num_samples) <= decoder_process.CALLERS.max_s * RATE + max(num_samples)


async def test_what_was_heard_comes_back_from_the_process():
    noisy = np.concatenate([silence(3), GOOD, silence(2)])
    noisy += 0.03 * np.random.default_rng(1).standard_normal(len(noisy)).astype(np.float32)
    recording = await read(encoded(noisy))
    assert 5.8 < recording.seconds < 6.4
    assert abs(recording.heard.speech_s - 6.0) < 0.3
    assert recording.heard.warnings == ("noisy",)
    assert abs(recording.heard.noise_dbfs + 30.5) < 1.5
