#!/usr/bin/env bash
# Library:   torch 2.11.0 on a CPU, Python 3.11, Linux. No part of this project is used.
#
# Behaviour: The main thread calls torch.set_num_threads(1). Then another thread calls
#            torch.set_num_threads(3) and ends. A thread that had computed before keeps 1. Every
#            thread that begins later has 3, and so has the main thread, whose own number is lost
#            because it has not computed yet.
#
# Expected:  One number for the process, as the documentation of torch.set_num_threads reads, or one
#            for the calling thread.
#
# Affected:  Programs with a thread for each model. Each thread that asks for no number of its own
#            gets that of whichever thread asked last. With more threads than cores every operation
#            waits for the slowest of them: here an engine beside two busy programs computed for
#            0.1 s instead of 1.0 s.
#
# Seen:      2026-11-30, three runs alike:
#   torch 2.11.0+cu130, threads of each: a new thread, before 1, the thread that sets 3 3, the main thread, which has set 1 3, a thread that had computed before 1, a thread that begins later 3
#
# Exits with 0 where torch behaves like this, with 1 where the behaviour has changed.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet --disable-pip-version-check torch==2.11.0 numpy==2.4.6

cat >"$folder/threads.py" <<'PYTHON'
import sys
from concurrent.futures import ThreadPoolExecutor

import torch

OWN, OTHER = 1, 3


def set_number(number):
    torch.set_num_threads(number)
    return torch.get_num_threads()


def on_a_new_thread(work, *arguments):
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(work, *arguments).result()


def main():
    torch.set_num_threads(OWN)
    with ThreadPoolExecutor(1) as earlier:
        earlier.submit(torch.get_num_threads).result()
        before = on_a_new_thread(torch.get_num_threads)
        in_thread = on_a_new_thread(set_number, OTHER)
        found = {
            "a new thread, before": before,
            "the thread that sets 3": in_thread,
            "the main thread, which has set 1": torch.get_num_threads(),
            "a thread that had computed before": earlier.submit(torch.get_num_threads).result(),
            "a thread that begins later": on_a_new_thread(torch.get_num_threads),
        }
    told = ", ".join(f"{name} {number}" for name, number in found.items())
    print(f"torch {torch.__version__}, threads of each: {told}")
    return [*found.values()] != [OWN, OTHER, OTHER, OWN, OTHER]


sys.exit(main())
PYTHON
OMP_NUM_THREADS=1 "$folder/venv/bin/python" "$folder/threads.py"
