"""The process that decodes an uploaded recording: `python -m app.voices.decoder_process`, with the
file on stdin.

A hostile file may crash it. Its memory and time are limited, and it cannot write files. Its answer
on stdout is one line of JSON; after that line a good recording follows as a 24 kHz mono FLAC file,
without the silence at its ends. Imports little, so that it starts fast. Knows nothing about voices
or stores.
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

from app.voices.pitch import has_two_pitches
from app.voices.reverberation import ECHO_S, decay_s
from app.voices.sound_file import UnusableSound, read_sound
from app.voices.speech_activity import Heard, Warning, find_speech

MEMORY_BYTES = 1 << 30  # of address space
CPU_S = 15
RATE = 24_000
MIN_SPEECH_S, MAX_S = 5.0, 30.0
MAX_FILE_S = 90.0  # with the silence at its ends
WINDOW_S = 10.0  # of which the vocoder's prompt is made
MAX_PEAK = 100.0
MAX_CLIPPED_SHARE = 0.05


def decode(content: bytes) -> tuple[NDArray[np.float32], Heard]:
    """Mono samples at RATE from the first to the last word, and what was heard. Raises
    UnusableSound."""
    sound, rate = read_sound(content, MAX_FILE_S)
    wav: NDArray[np.float32] = soxr.resample(sound, rate, RATE)
    seconds = len(wav) / RATE
    if seconds < MIN_SPEECH_S:
        raise UnusableSound(
            f"is {seconds:.2f} s long; it must be {MIN_SPEECH_S:g} s to {MAX_S:g} s"
        )
    if np.abs(wav).max() > MAX_PEAK:
        raise UnusableSound("has samples far above full scale")
    activity = find_speech(wav, RATE)
    if activity is None:
        raise UnusableSound("is silent, or has no speech that is louder than its noise")
    if activity.heard.clipped_share > MAX_CLIPPED_SHARE:
        raise UnusableSound("is clipped")
    used = wav[activity.start : activity.stop]
    if len(used) > MAX_S * RATE:
        raise UnusableSound(f"is longer than {MAX_S:g} s, without the silence at its ends")
    _require_speech(used[: round(WINDOW_S * RATE)])
    heard = _with_room_and_people(activity.heard, wav - wav.mean(), used)
    return used / max(1.0, float(np.abs(used).max())), heard


def _with_room_and_people(
    heard: Heard, wav: NDArray[np.float32], used: NDArray[np.float32]
) -> Heard:
    decay = decay_s(wav, RATE)  # the fall of the last word is behind what is used
    more: dict[Warning, bool] = {
        "echo": decay is not None and decay >= ECHO_S,
        "several_voices": has_two_pitches(used, RATE),
    }
    found = tuple(name for name, is_so in more.items() if is_so)
    return dataclasses.replace(heard, decay_s=decay, warnings=(*heard.warnings, *found))


def _require_speech(window: NDArray[np.float32]) -> None:
    early = find_speech(window, RATE)
    speech_s = 0.0 if early is None else early.heard.speech_s
    if speech_s < MIN_SPEECH_S:
        raise UnusableSound(
            f"has {speech_s:.1f} s of speech within {WINDOW_S:g} s of its first word; "
            f"it must have {MIN_SPEECH_S:g} s"
        )


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
        wav, heard = decode(sys.stdin.buffer.read())
    except (UnusableSound, MemoryError) as error:
        problem = str(error) if isinstance(error, UnusableSound) else "needs too much memory"
        out.write(json.dumps({"refused": problem}).encode() + b"\n")
        return
    flac = io.BytesIO()
    soundfile.write(flac, wav, RATE, format="FLAC", subtype="PCM_16")
    answer = {"seconds": round(len(wav) / RATE, 3), "heard": dataclasses.asdict(heard)}
    out.write(json.dumps(answer).encode() + b"\n")
    out.write(flac.getvalue())


if __name__ == "__main__":
    main()
