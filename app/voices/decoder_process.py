"""The process that decodes a sound file: `python -m app.voices.decoder_process PURPOSE`, with the
file on stdin. decoder.py starts it.

A hostile file may crash it. Its memory and time are limited, and it cannot write files. Its answer
on stdout is one line of JSON. After that line a good recording follows: an upload as a 24 kHz mono
FLAC file, any other one as mono float32 samples. Imports little, so that it starts fast. Knows
nothing about voices or stores.
"""

import dataclasses
import io
import json
import resource
import sys

import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray

from app.voices.decoder import Purpose
from app.voices.pitch import has_two_pitches
from app.voices.reverberation import ECHO_S, decay_s
from app.voices.sound_file import Limits, read_sound
from app.voices.speech_activity import Heard, Warning
from app.voices.spoken_part import find_spoken_part
from app.voices.unusable_sound import UnusableSound

CPU_S = 15
RATE = 24_000
MAX_S = 30.0  # of the spoken part of an upload
MAX_PEAK = 100.0
MAX_CLIPPED_SHARE = 0.05
CALLERS = Limits(90.0, (8000, 96_000))  # with the silence at the ends of the recording
OPERATORS = Limits(300.0, (1000, 768_000))  # the voice encoder reads all of it
MEMORY_BYTES = {CALLERS: 1 << 30, OPERATORS: 4 << 30}  # of address space

Samples = NDArray[np.float32]


def limits_of(purpose: Purpose) -> Limits:
    return CALLERS if purpose in (Purpose.UPLOAD, Purpose.STORED) else OPERATORS


def decode_upload(content: bytes) -> tuple[Samples, Heard]:
    """Mono samples at RATE from the first to the last word, and what was heard. Raises
    UnusableSound."""
    wav = _at_rate(*read_sound(content, CALLERS))
    if len(wav) and np.abs(wav).max() > MAX_PEAK:
        raise UnusableSound("has samples far above full scale")
    activity = find_spoken_part(wav, RATE)
    if activity.heard.clipped_share > MAX_CLIPPED_SHARE:
        raise UnusableSound("is clipped")
    used = wav[activity.start : activity.stop]
    if len(used) > MAX_S * RATE:
        raise UnusableSound(f"is longer than {MAX_S:g} s, without the silence at its ends")
    heard = _with_room_and_people(activity.heard, wav - wav.mean(), used)
    return used / max(1.0, float(np.abs(used).max())), heard


def decode_reference(content: bytes, purpose: Purpose) -> tuple[Samples, int]:
    """Mono samples and their rate. Raises UnusableSound."""
    wav, rate = read_sound(content, limits_of(purpose))
    if purpose is not Purpose.SPOKEN:
        return wav, rate
    wav = _at_rate(wav, rate)
    activity = find_spoken_part(wav, RATE)
    return wav[activity.start : activity.stop], RATE


def _at_rate(wav: Samples, rate: int) -> Samples:
    resampled: Samples = soxr.resample(wav, rate, RATE)
    return resampled


def _with_room_and_people(heard: Heard, wav: Samples, used: Samples) -> Heard:
    decay = decay_s(wav, RATE)  # the fall of the last word is behind what is used
    more: dict[Warning, bool] = {
        "echo": decay is not None and decay >= ECHO_S,
        "several_voices": has_two_pitches(used, RATE),
    }
    found = tuple(name for name, is_so in more.items() if is_so)
    return dataclasses.replace(heard, decay_s=decay, warnings=(*heard.warnings, *found))


def _answer(content: bytes, purpose: Purpose) -> tuple[dict[str, object], bytes]:
    """What is told, and the sound."""
    if purpose is not Purpose.UPLOAD:
        wav, rate = decode_reference(content, purpose)
        return {"rate": rate}, wav.astype("<f4", copy=False).tobytes()
    wav, heard = decode_upload(content)
    flac = io.BytesIO()
    soundfile.write(flac, wav, RATE, format="FLAC", subtype="PCM_16")
    seconds = round(len(wav) / RATE, 3)
    told = {"rate": RATE, "seconds": seconds, "heard": dataclasses.asdict(heard)}
    return told, flac.getvalue()


def main() -> None:
    purpose = Purpose(sys.argv[1])
    for limit, value in (
        (resource.RLIMIT_AS, MEMORY_BYTES[limits_of(purpose)]),
        (resource.RLIMIT_CPU, CPU_S),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_CORE, 0),
    ):
        resource.setrlimit(limit, (value, value))
    told, sound = dict[str, object](), b""
    try:
        told, sound = _answer(sys.stdin.buffer.read(), purpose)
    except (UnusableSound, MemoryError) as error:
        told["refused"] = (
            str(error) if isinstance(error, UnusableSound) else "needs too much memory"
        )
    sys.stdout.buffer.write(json.dumps(told).encode() + b"\n")
    sys.stdout.buffer.write(sound)


if __name__ == "__main__":
    main()
