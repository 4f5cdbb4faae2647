#!/usr/bin/env bash
# Library:   av (PyAV) 18.1.0 with its own FFmpeg (libswresample), Linux. No part of this project is
#            used.
#
# Behaviour: `av.AudioResampler`, which is FFmpeg's filter `aresample` with its defaults, lets
#            through what the new rate cannot carry. From 24 kHz to 8 kHz, a tone of 4.1 kHz comes
#            out at 3.9 kHz. From 24 kHz to 48 kHz, a tone of 11.9 kHz has a mirror image at
#            12.1 kHz.
#
# Expected:  What is mirrored at half of the lower rate is inaudible, as after soxr (below -100 dB).
#
# Affected:  Programs that change the rate of speech with these defaults, above all for telephones:
#            consonants such as `s` come back as hiss below 4 kHz. The library soxr does not.
#
# Seen:      2026-11-30, two cores, three runs:
#   av 18.1.0, 4100 Hz to 8000 Hz: -15.4 dB at 3900 Hz (soxr -131); 11900 Hz to 48000 Hz: -7.0 dB at 12100 Hz (soxr -132)
#   av 18.1.0, 4100 Hz to 8000 Hz: -15.4 dB at 3900 Hz (soxr -131); 11900 Hz to 48000 Hz: -7.0 dB at 12100 Hz (soxr -132)
#   av 18.1.0, 4100 Hz to 8000 Hz: -15.4 dB at 3900 Hz (soxr -131); 11900 Hz to 48000 Hz: -7.0 dB at 12100 Hz (soxr -132)
#
# Exits with 0 where FFmpeg behaves like this, with 1 where the behaviour has changed. Takes 15 s.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet --disable-pip-version-check \
    av==18.1.0 numpy==2.4.6 soxr==1.1.0

cat >"$folder/tones.py" <<'PYTHON'
import sys

import av
import numpy as np
import soxr

RATE = 24_000
CASES = ((8000, 4100.0, 3900.0), (48_000, 11_900.0, 12_100.0))  # to, a tone, its mirror image
HEARD_DB = -40.0


def by_ffmpeg(tone, rate):
    frame = av.AudioFrame.from_ndarray(tone[np.newaxis], "flt", "mono")
    frame.sample_rate = RATE
    resampler = av.AudioResampler("flt", "mono", rate)
    parts = [*resampler.resample(frame), *resampler.resample(None)]
    return np.concatenate([part.to_ndarray().reshape(-1) for part in parts])


def by_soxr(tone, rate):
    return soxr.resample(tone, RATE, rate)


def level_db(sound, rate, hz):
    """Of the sine of `hz` in the middle second, relative to the tone that went in."""
    start = (len(sound) - rate) // 2
    middle = sound[start : start + rate] * np.hanning(rate)
    wave = np.exp(-2j * np.pi * hz * np.arange(rate) / rate)
    return 20 * np.log10(max(abs(middle @ wave) * 4 / rate / 0.5, 1e-9))


def main():
    told, are_as_described = [], []
    for rate, hz, image in CASES:
        tone = (0.5 * np.sin(2 * np.pi * hz * np.arange(2 * RATE) / RATE)).astype(np.float32)
        ffmpeg = level_db(by_ffmpeg(tone, rate), rate, image)
        control = level_db(by_soxr(tone, rate), rate, image)
        told.append(f"{hz:g} Hz to {rate} Hz: {ffmpeg:.1f} dB at {image:g} Hz (soxr {control:.0f})")
        are_as_described.append(ffmpeg > HEARD_DB > control)
    sys.stdout.write(f"av {av.__version__}, {'; '.join(told)}\n")
    return 0 if all(are_as_described) else 1


sys.exit(main())
PYTHON
"$folder/venv/bin/python" "$folder/tones.py"
