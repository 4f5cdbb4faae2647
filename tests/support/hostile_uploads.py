"""Hostile files for an upload: (name, bytes, expected words of the refusal)."""

import io
import struct
import zlib

import numpy as np
import soundfile

from app.audio.pcm import to_s16le, wav_header
from tests.support.audio_samples import spoken_vowels

RATE = 24_000
GOOD = spoken_vowels(seed=3, seconds=6.0)


def encoded(samples, rate=RATE, kind="WAV", subtype=None):
    """Written in blocks: libsndfile crashes where an Ogg file is written in one."""
    file = io.BytesIO()
    samples = np.asarray(samples, np.float32)
    channels = 1 if samples.ndim == 1 else samples.shape[1]
    with soundfile.SoundFile(file, "w", rate, channels, subtype, format=kind) as out:
        for at in range(0, len(samples), rate):
            out.write(samples[at : at + rate])
    return file.getvalue()


def silence(seconds):
    return np.zeros(seconds * RATE, np.float32)


def header(*, channels=1, rate=RATE, bits=16, form=1, num_bytes=None, content=b""):
    """A WAV whose header has the given values, right or wrong."""
    num_bytes = len(content) if num_bytes is None else num_bytes
    align = channels * bits // 8 & 0xFFFF
    fmt = struct.pack("<HHIIHH", form, channels, rate, rate * align & 0xFFFFFFFF, align, bits)
    riff = b"RIFF" + struct.pack("<I", 36 + num_bytes & 0xFFFFFFFF) + b"WAVE"
    data = b"data" + struct.pack("<I", num_bytes & 0xFFFFFFFF) + content
    return riff + b"fmt " + struct.pack("<I", 16) + fmt + data


def floats(value, at=slice(None), seconds=6.0):
    samples = spoken_vowels(seed=3, seconds=seconds)
    samples[at] = value
    return header(form=3, bits=32, content=samples.astype("<f4").tobytes())


def constant(level, seconds=6.0):
    return encoded(np.full(round(seconds * RATE), level, np.float32))


UNREADABLE = "can be read|cannot be read|has no sound"
SHORT, LONG, SILENT = "s long", "longer than", "silent"
PCM = to_s16le(GOOD)
NOISE = np.random.default_rng(2).standard_normal(10 * RATE)
TWO_WORDS = np.concatenate([GOOD[: 2 * RATE], silence(6), GOOD[: 2 * RATE]])
FOUR_SECONDS = np.concatenate([silence(30), GOOD[: 4 * RATE], silence(30)])
WAV, FLAC, OGG = encoded(GOOD), encoded(GOOD, kind="FLAC"), encoded(GOOD, kind="OGG")
MP3 = encoded(GOOD, kind="MP3")
MAGICS = {
    "zip": b"PK\x03\x04" + b"\0" * 200,
    "gzip bomb": zlib.compress(b"\0" * 5_000_000, 9, 31),
    "png": b"\x89PNG\r\n\x1a\n" + b"\0" * 200,
    "elf": b"\x7fELF" + b"\0" * 200,
    "pickle": b"\x80\x04\x95\x10\0\0\0\0\0\0\0\x8c\x05posix\x94\x8c\x06system\x94",
    "torch": b"PK\x03\x04archive/data.pkl" + b"\0" * 100,
    "html": b"<html><script>alert(1)</script></html>",
    "json": b'{"audio": 1}',
    "svg": b"<svg onload='x'/>",
    "shell": b"#!/bin/sh\nrm -rf /\n",
    "m4a": b"\0\0\0\x20ftypM4A \0\0\0\0M4A mp42isom" + b"\0" * 100,
    "webm": b"\x1a\x45\xdf\xa3" + b"\0" * 100,
    "adts": b"\xff\xf1\x50\x80" * 50,
    "playlist": b"#EXTM3U\nfile:///etc/passwd\n",
    "concat": b"ffconcat version 1.0\nfile '/etc/passwd'\n",
    "one byte": b"R",
    "RIFF alone": b"RIFF",
    "zeros": b"\0" * 10_000,
    "ones": b"\xff" * 10_000,
    "noise": np.random.default_rng(1).bytes(100_000),
    "text": ("x" * 10_000).encode(),
    "utf-16": "hello".encode("utf-16"),
    "fLaC alone": b"fLaC",
    "OggS alone": b"OggS" * 20,
    "ID3 alone": b"ID3\x04\0\0\x7f\x7f\x7f\x7f",
    "RF64": b"RF64\xff\xff\xff\xffWAVEds64" + b"\xff" * 100,
}

HOSTILE = [
    *((name, content, f"{UNREADABLE}|{SHORT}") for name, content in MAGICS.items()),
    ("wav without data", header(), f"{SHORT}|{UNREADABLE}"),
    ("wav cut in its header", WAV[:20], UNREADABLE),
    ("wav cut to a second", WAV[: 44 + RATE * 2], SHORT),
    ("wav that claims 4 GiB", header(num_bytes=0xFFFFFFF0, content=PCM[:RATE]), SHORT),
    ("wav of 0 Hz", header(rate=0, content=PCM), f"Hz|{UNREADABLE}"),
    ("wav of 1 Hz", header(rate=1, content=PCM), "Hz"),
    ("wav of 4 kHz", encoded(GOOD, 4000), "Hz"),
    ("wav of 192 kHz", encoded(GOOD, 192_000), "Hz"),
    ("wav of 4 GHz", header(rate=0xFFFFFFFF, content=PCM), f"Hz|{UNREADABLE}"),
    ("wav of no channels", header(channels=0, content=PCM), f"channels|{UNREADABLE}"),
    ("wav of 3 channels", encoded(np.stack([GOOD] * 3, 1)), "channels"),
    ("wav of 1024 channels", header(channels=1024, content=PCM), f"channels|{UNREADABLE}"),
    ("wav of 65535 channels", header(channels=65_535, content=PCM), f"channels|{UNREADABLE}"),
    ("wav of 0 bits", header(bits=0, content=PCM), UNREADABLE),
    ("wav of 7 bits", header(bits=7, content=PCM), f"{UNREADABLE}|silent|clipped|{SHORT}"),
    ("wav of unknown coding", header(form=0x1234, content=PCM), UNREADABLE),
    ("wav with NaN", floats(np.nan, 1000), "finite"),
    ("wav of NaN", floats(np.nan), "finite"),
    ("wav with infinity", floats(np.inf, -1), "finite"),
    ("wav with minus infinity", floats(-np.inf, 0), "finite"),
    ("wav of huge samples", floats(1e30, 5), "full scale"),
    ("wav of denormals", floats(1e-42), SILENT),
    ("wav of silence", constant(0.0), SILENT),
    ("wav of an offset", constant(0.5), SILENT),
    ("wav of full scale", constant(1.0), f"{SILENT}|clipped"),
    ("wav that is too quiet", encoded(GOOD * 0.005), SILENT),
    ("wav with one click", floats(0.0)[:-4] + struct.pack("<f", 0.9), SILENT),
    ("wav that is clipped", encoded(np.clip(GOOD * 40, -1, 1)), "clipped"),
    ("wav of 4.9 s", encoded(GOOD[: round(4.9 * RATE)]), SHORT),
    ("wav of one sample", encoded(GOOD[:1]), SHORT),
    ("wav of 31 s", encoded(spoken_vowels(3, 31.0)), LONG),
    ("wav of room noise", encoded(NOISE * 0.05), SILENT),
    ("wav of a tone", encoded(0.3 * np.sin(np.arange(10 * RATE) * 0.05)), SILENT),
    ("wav with two words in ten seconds", encoded(TWO_WORDS), "s of speech"),
    ("wav with too little speech in a minute of silence", encoded(FOUR_SECONDS), "s of speech"),
    ("flac of ten minutes of silence", encoded(silence(600), kind="FLAC"), LONG),
    ("ogg of two minutes", encoded(silence(120), kind="OGG"), LONG),
    ("mp3 of two minutes", encoded(silence(120), kind="MP3"), LONG),
    ("flac of 96 kHz, 8 channels", encoded(np.zeros((96_000, 8)), 96_000, "FLAC"), "channels"),
    ("flac of silence", encoded(silence(6), kind="FLAC"), SILENT),
    ("flac cut in half", FLAC[: len(FLAC) // 2], f"{SHORT}|{UNREADABLE}"),
    ("flac with a broken header", b"fLaC" + b"\xff" * 60 + FLAC[64:], UNREADABLE),
    ("ogg cut to a page", OGG[:4000], f"{SHORT}|{UNREADABLE}"),
    ("ogg with broken pages", OGG[:100] + b"\0" * 5000, f"{SHORT}|{UNREADABLE}"),
    ("mp3 of a frame", MP3[:500], f"{SHORT}|{UNREADABLE}|silent"),
    ("aiff", encoded(GOOD, kind="AIFF"), UNREADABLE),
    ("au", encoded(GOOD, kind="AU"), UNREADABLE),
    ("w64", encoded(GOOD, kind="W64"), UNREADABLE),
    ("raw pcm", PCM, UNREADABLE),
    ("a header twice", wav_header(10) + wav_header(10), f"{SHORT}|{UNREADABLE}"),
]
