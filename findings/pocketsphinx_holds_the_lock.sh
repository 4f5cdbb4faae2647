#!/usr/bin/env bash
# Library:   pocketsphinx 5.1.1, Linux. No part of this project is used.
#
# Behaviour: `Decoder.process_raw` holds Python's global lock. While one thread decodes, every other
#            thread of the process waits for the call to end, and two decoders in two threads take
#            as long as one after another.
#
# Expected:  A call into C that takes 10 to 40 ms releases the lock, as those of sherpa-onnx do.
#
# Affected:  Servers that decode in threads: their event loop answers nothing meanwhile.
#
# Seen:      2026-11-30, two cores, three runs:
#   pocketsphinx 5.1.1: a sleep of 1 ms takes up to 68 ms while a frame is decoded (longest frame 57 ms; without decoding 5 ms)
#   pocketsphinx 5.1.1: a sleep of 1 ms takes up to 64 ms while a frame is decoded (longest frame 44 ms; without decoding 4 ms)
#   pocketsphinx 5.1.1: a sleep of 1 ms takes up to 65 ms while a frame is decoded (longest frame 42 ms; without decoding 3 ms)
#
# Exits with 0 where pocketsphinx behaves like this, with 1 where the behaviour has changed. Takes
# 20 s.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet --disable-pip-version-check \
    pocketsphinx==5.1.1 numpy==2.4.6

cat >"$folder/lock.py" <<'PYTHON'
import sys
import threading
import time

import numpy as np
from pocketsphinx import Decoder

SLEEP_S = 0.001
FRAME_BYTES = 1024  # 32 ms


def longest_sleep_s(work):
    """How long a sleep of 1 ms takes at most while `work` runs in another thread."""
    thread = threading.Thread(target=work)
    longest_s = 0.0
    thread.start()
    while thread.is_alive():
        began_s = time.perf_counter()
        time.sleep(SLEEP_S)
        longest_s = max(longest_s, time.perf_counter() - began_s)
    return longest_s


def main():
    rng = np.random.default_rng(1)
    time_s = np.arange(3 * 16_000) / 16_000
    voice = np.sin(2 * np.pi * 150 * time_s) * (1 + np.sin(2 * np.pi * 4 * time_s))
    sound = (6000 * voice + 500 * rng.standard_normal(len(time_s))).astype("<i2").tobytes()
    decoder = Decoder(samprate=16_000, loglevel="FATAL")
    steps = []

    def decode():
        decoder.start_utt()
        for at in range(0, len(sound), FRAME_BYTES):
            began_s = time.perf_counter()
            decoder.process_raw(sound[at : at + FRAME_BYTES])
            steps.append(time.perf_counter() - began_s)
        decoder.end_utt()

    def rest():
        time.sleep(1.0)

    control_ms = longest_sleep_s(rest) * 1000
    waited_ms = longest_sleep_s(decode) * 1000
    step_ms = max(steps) * 1000
    sys.stdout.write(
        f"pocketsphinx 5.1.1: a sleep of 1 ms takes up to {waited_ms:.0f} ms while a frame is "
        f"decoded (longest frame {step_ms:.0f} ms; without decoding {control_ms:.0f} ms)\n"
    )
    return 0 if waited_ms > step_ms / 2 > control_ms else 1


sys.exit(main())
PYTHON
"$folder/venv/bin/python" "$folder/lock.py"
