"""Makes the recorded call of the hearing benchmarks: benchmarks/calls/call.ogg and call.json.

    python benchmarks/make_recorded_call.py

Needs the program `flite`, whose voices are free. Back-channels ("mm-hm") and noises are computed.
Two runs with one flite give the same samples.
"""

import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path

import av
import numpy as np
import soundfile
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).parents[1]))  # run as a script from a checkout

from benchmarks.recorded_call import FOLDER, LABELS, RATE, SOUND, Kind, Moment

Samples = NDArray[np.float64]

VOICES = ("slt", "rms", "awb", "kal16")
INTERRUPTIONS = (
    "Wait, that is not what I asked for.",
    "Stop, please.",
    "No, I want to fly on Monday.",
    "Sorry, can you say that again?",
    "Hold on a second.",
    "Actually, make it two coffees with milk.",
    "What is the price of the other one?",
    "Can I speak to a person?",
    "That is wrong, my name is John.",
    "Thank you, that is enough.",
    "Hang on, which street did you say?",
    "Cancel the order.",
)
BACK_CHANNELS = ("yeah", "right", "okay", "uh huh", "I see", "sure")
NUM_HUMS = 6
FLOOR_DBFS = -60.0
SPEECH_DBFS = (-26.0, -20.0)
BACK_CHANNEL_DBFS = -32.0
NOISE_DBFS = (-36.0, -24.0)
BIT_RATE = 32_000


def spoken(text: str, voice: str) -> Samples:
    with tempfile.NamedTemporaryFile(suffix=".wav") as file:
        subprocess.run(["flite", "-voice", voice, "-t", text, file.name], check=True)
        pcm, rate = soundfile.read(file.name)
    if rate != RATE:
        raise ValueError(f"{voice} speaks at {rate} Hz")
    return trimmed(np.asarray(pcm, np.float64))


def trimmed(sound: Samples) -> Samples:
    """Without the silence at its ends: 35 dB below the loudest 10 ms."""
    block = RATE // 100
    num_blocks = len(sound) // block
    level = np.sqrt((sound[: num_blocks * block].reshape(num_blocks, block) ** 2).mean(axis=1))
    loud = np.flatnonzero(level > level.max() * 10 ** (-35 / 20))
    return sound[loud[0] * block : (loud[-1] + 1) * block]


def hum(rng: np.random.Generator) -> Samples:
    """ "mm-hm": two closed-mouth syllables and a breath between them."""
    pitch = rng.uniform(110, 210)
    first = _nasal(pitch * np.linspace(1.05, 0.95, round(0.17 * RATE)))
    breath = rng.standard_normal(round(0.06 * RATE)) * 0.03
    second = _nasal(pitch * np.linspace(1.0, 1.25, round(0.24 * RATE)))
    return np.concatenate([first, breath, second])


def _nasal(pitch: Samples) -> Samples:
    phase = 2 * np.pi * np.cumsum(pitch) / RATE
    sound = np.zeros_like(phase)
    for harmonic in range(1, 12):
        frequency = harmonic * pitch.mean()
        sound += np.sin(harmonic * phase) / (1 + ((frequency - 250) / 120) ** 2)
    return sound * np.hanning(len(sound)) ** 0.3


def cough(rng: np.random.Generator) -> Samples:
    bursts = [_noise(rng, 500, 3500, 0.14) * np.exp(-np.linspace(0, 5, round(0.14 * RATE)))]
    return np.concatenate([bursts[0], np.zeros(RATE // 12), bursts[0] * 0.7])


def door(rng: np.random.Generator) -> Samples:
    return _noise(rng, 30, 400, 0.4) * np.exp(-np.linspace(0, 7, round(0.4 * RATE)))


def keyboard(rng: np.random.Generator) -> Samples:
    sound = np.zeros(RATE)
    for at in np.sort(rng.integers(0, RATE - 400, 7)):
        sound[at : at + 320] += _noise(rng, 1500, 7000, 0.02) * np.exp(-np.linspace(0, 6, 320))
    return sound


def music(_rng: np.random.Generator) -> Samples:
    time_s = np.arange(round(0.35 * RATE)) / RATE
    notes = (262, 330, 392, 523)
    fade = np.exp(-3 * time_s)
    tones = [sum(np.sin(2 * np.pi * note * k * time_s) / k for k in (1, 2, 3)) for note in notes]
    return np.concatenate([tone * fade for tone in tones])


def ringing(_rng: np.random.Generator) -> Samples:
    time_s = np.arange(RATE) / RATE
    return np.sin(2 * np.pi * 440 * time_s) + np.sin(2 * np.pi * 480 * time_s)


def traffic(rng: np.random.Generator) -> Samples:
    return _noise(rng, 60, 900, 2.0) * np.hanning(2 * RATE)


def breath(rng: np.random.Generator) -> Samples:
    return _noise(rng, 1200, 6500, 0.5) * np.hanning(round(0.5 * RATE))


NOISES: tuple[Callable[[np.random.Generator], Samples], ...] = (
    *(cough, door, keyboard, music, ringing, traffic, breath),
)


def _noise(rng: np.random.Generator, low: float, high: float, seconds: float) -> Samples:
    spectrum = np.fft.rfft(rng.standard_normal(round(seconds * RATE)))
    frequencies = np.fft.rfftfreq(round(seconds * RATE), 1 / RATE)
    spectrum[(frequencies < low) | (frequencies > high)] = 0
    return np.fft.irfft(spectrum, round(seconds * RATE))


def at_level(sound: Samples, dbfs: float) -> Samples:
    gain: float = 10 ** (dbfs / 20) / float(np.sqrt((sound**2).mean()))
    return sound * gain


def pink(rng: np.random.Generator, num_samples: int) -> Samples:
    spectrum = np.fft.rfft(rng.standard_normal(num_samples))
    spectrum /= np.sqrt(np.arange(1, len(spectrum) + 1))
    return np.fft.irfft(spectrum, num_samples)


def parts(rng: np.random.Generator) -> Iterator[tuple[Kind, str, str, Samples]]:
    for number, text in enumerate(INTERRUPTIONS):
        voice = VOICES[number % len(VOICES)]
        yield "interruption", text, voice, at_level(spoken(text, voice), rng.uniform(*SPEECH_DBFS))
        if number < NUM_HUMS:
            yield "back_channel", "mm-hm", "hum", at_level(hum(rng), BACK_CHANNEL_DBFS)
        if number < len(NOISES):
            made = NOISES[number]
            noise = at_level(made(rng), rng.uniform(*NOISE_DBFS))
            yield "noise", made.__name__, "noise", noise
        if number < len(BACK_CHANNELS):
            word, voice = BACK_CHANNELS[number], VOICES[(number + 1) % len(VOICES)]
            yield "back_channel", word, voice, at_level(spoken(word, voice), BACK_CHANNEL_DBFS)


def main() -> None:
    rng = np.random.default_rng(17)
    sounds: list[Samples] = []
    moments: list[Moment] = []
    at = 0
    for kind, text, voice, sound in parts(rng):
        pause = np.zeros(round(rng.uniform(1.1, 1.9) * RATE))
        at += len(pause)
        began_s, ended_s = round(at / RATE, 4), round((at + len(sound)) / RATE, 4)
        moments.append(Moment(kind, began_s, ended_s, text, voice))
        at += len(sound)
        sounds += [pause, sound]
    clean = np.concatenate([*sounds, np.zeros(RATE)])
    pcm = clean + at_level(pink(rng, len(clean)), FLOOR_DBFS)
    FOLDER.mkdir(exist_ok=True)
    LABELS.write_text(json.dumps([asdict(moment) for moment in moments], indent=1) + "\n")
    with av.open(str(SOUND), "w", format="ogg") as container:
        stream = container.add_stream("libopus", RATE, layout="mono")
        stream.bit_rate = BIT_RATE
        samples = np.rint(np.clip(pcm, -1, 1) * 32767).astype(np.int16)
        frame = av.AudioFrame.from_ndarray(samples[np.newaxis], "s16", "mono")
        frame.sample_rate = RATE
        frame.pts = 0
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    sys.stdout.write(f"{len(pcm) / RATE:.1f} s, {SOUND.stat().st_size} bytes\n")


if __name__ == "__main__":
    main()
