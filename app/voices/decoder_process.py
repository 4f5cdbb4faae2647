"""The process that decodes an uploaded recording: `python -m app.voices.decoder_process`, with the
file on stdin.

A hostile file may crash it. Its memory and time are limited, and it cannot write files. Its answer
on stdout is one line of JSON; after that line a good recording follows as a 24 kHz mono FLAC file.
Imports nothing of ours, so that it starts fast. Knows nothing about voices or stores.
"""

import io
import json
import resource
import sys

import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray

MEMORY_BYTES = 1 << 30  # of address space
CPU_S = 15
RATE = 24_000
KINDS = ("WAV", "WAVEX", "FLAC", "OGG", "MP3")
MIN_S, MAX_S = 5.0, 30.0
MIN_RATE, MAX_RATE = 8000, 96_000
MAX_CHANNELS = 2
MIN_PEAK = 0.01  # -40 dBFS
FRAME_S = 0.02
MIN_FRAME_RMS = 0.003  # -50 dBFS
MIN_ACTIVE_S = 1.0  # of louder frames: a click is no voice
CLIPPED_SHARE = 0.05
BLOCK = 65_536  # frames read at once: a header may lie about the number of frames


class Refused(Exception):
    """The message continues "the recording …"."""


def decode(content: bytes) -> NDArray[np.float32]:
    """Mono samples at RATE."""
    try:
        with soundfile.SoundFile(io.BytesIO(content)) as file:
            wav, rate = _read(file), file.samplerate
    except soundfile.LibsndfileError as error:
        raise Refused("is not a WAV, FLAC, Ogg or MP3 file that can be read") from error
    _check(wav, rate)
    resampled: NDArray[np.float32] = soxr.resample(wav, rate, RATE)
    return resampled


def _read(file: soundfile.SoundFile) -> NDArray[np.float32]:
    if file.format not in KINDS:
        raise Refused(f"is {file.format}; it must be WAV, FLAC, Ogg or MP3")
    if not MIN_RATE <= file.samplerate <= MAX_RATE:
        raise Refused(f"has {file.samplerate} Hz; it must have {MIN_RATE} to {MAX_RATE} Hz")
    if file.channels > MAX_CHANNELS:
        raise Refused(f"has {file.channels} channels; it must have one or two")
    blocks, num_frames = [], 0
    while len(block := file.read(BLOCK, dtype="float32", always_2d=True)):
        num_frames += len(block)
        if num_frames > MAX_S * file.samplerate:
            raise Refused(f"is longer than {MAX_S:g} s")
        blocks.append(block.mean(axis=1, dtype=np.float32))
    return np.concatenate([np.zeros(0, np.float32), *blocks])


def _check(wav: NDArray[np.float32], rate: int) -> None:
    if len(wav) < MIN_S * rate:
        raise Refused(f"is {len(wav) / rate:.2f} s long; it must be {MIN_S:g} s to {MAX_S:g} s")
    if not np.isfinite(wav).all():
        raise Refused("has samples that are not finite numbers")
    peak = float(np.abs(wav).max())
    if peak > 100:
        raise Refused("has samples far above full scale")
    if peak < MIN_PEAK or _active_s(wav - wav.mean(), rate) < MIN_ACTIVE_S:
        raise Refused("is silent, or nearly so")
    if np.mean(np.abs(wav) >= 0.999) > CLIPPED_SHARE:
        raise Refused("is clipped")


def _active_s(wav: NDArray[np.float32], rate: int) -> float:
    size = round(FRAME_S * rate)
    frames = wav[: len(wav) // size * size].reshape(-1, size)
    rms = np.sqrt(np.mean(np.square(frames, dtype=np.float64), axis=1))
    return float(np.sum(rms > MIN_FRAME_RMS)) * FRAME_S


def main() -> None:
    for limit, value in (
        (resource.RLIMIT_AS, MEMORY_BYTES),
        (resource.RLIMIT_CPU, CPU_S),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_CORE, 0),
    ):
        resource.setrlimit(limit, (value, value))
    out = sys.stdout.buffer
    try:
        wav = decode(sys.stdin.buffer.read())
    except (Refused, MemoryError) as error:
        problem = str(error) if isinstance(error, Refused) else "needs too much memory to decode"
        out.write(json.dumps({"refused": problem}).encode() + b"\n")
        return
    flac = io.BytesIO()
    soundfile.write(flac, np.clip(wav, -1, 1), RATE, format="FLAC", subtype="PCM_16")
    out.write(json.dumps({"seconds": round(len(wav) / RATE, 3)}).encode() + b"\n")
    out.write(flac.getvalue())


if __name__ == "__main__":
    main()
