#!/usr/bin/env bash
# Library:   torch 2.11.0 on a CPU (oneDNN 3.10.2), Python 3.11, Linux. No part of this project is
#            used.
#
# Behaviour: The residual blocks of a small HiFi-GAN voice texts of 120 lengths, over and over. From
#            the second pass on every shape was seen before, and each pass still takes more than
#            twice as long as it has to. oneDNN keeps the plans (JIT code) of the 1,024 convolutions
#            and reorders that were used last, and each length needs some eighty.
#
# Expected:  Only the first time that a shape is seen is slow.
#
# Affected:  Everything that runs convolutions over inputs of varying length on a CPU: vocoders,
#            recognisers, codecs. A benchmark that repeats a few lengths does not show it. With
#            ONEDNN_PRIMITIVE_CACHE_CAPACITY=16384 in the environment, read at the process's first
#            convolution, the later passes are fast. The plans of this script take 0.3 GB.
#
# Seen:      2026-11-30, two cores with AVX-512, other work beside it, three runs:
#     1,024 plans: passes of [8.01, 7.69, 7.14] s, at most 774 MB
#     16,384 plans: passes of [8.15, 2.57, 2.31] s, at most 1036 MB
#   torch 2.11.0+cu130: the last pass takes 3.1 times as long with the default
#   The second run: 6.84 and 2.18 s, 3.1 times. The third: 6.98 and 2.37 s, 2.9 times.
#
# Exits with 0 where torch behaves like this, with 1 where the behaviour has changed. Takes two
# minutes beside the download.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet --disable-pip-version-check torch==2.11.0

cat >"$folder/passes.py" <<'PYTHON'
import json
import resource
import time

import torch

LEVELS = ((64, 12), (32, 60), (16, 180))  # channels, samples per token
KERNELS, DILATIONS = (3, 7, 11), (1, 3, 5)
LENGTHS = range(20, 140)  # tokens
NUM_PASSES = 3


def voice(weights, num_tokens):
    for channels, per_token in LEVELS:
        sound = torch.ones(1, channels, num_tokens * per_token)
        for kernel in KERNELS:
            for dilation in DILATIONS:
                weight = weights[channels, kernel]
                torch.conv1d(sound, weight, padding="same", dilation=dilation)


def main():
    torch.set_num_threads(1)
    weights = {(c, k): torch.ones(c, c, k) for c, _ in LEVELS for k in KERNELS}
    took_s = []
    with torch.inference_mode():
        for _ in range(NUM_PASSES):
            began_s = time.process_time()
            for num_tokens in LENGTHS:
                voice(weights, num_tokens)
            took_s.append(round(time.process_time() - began_s, 2))
    memory_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    print(json.dumps({"took_s": took_s, "memory_mb": memory_mb}))


main()
PYTHON

export -n ONEDNN_PRIMITIVE_CACHE_CAPACITY
default=$("$folder/venv/bin/python" "$folder/passes.py")
larger=$(ONEDNN_PRIMITIVE_CACHE_CAPACITY=16384 "$folder/venv/bin/python" "$folder/passes.py")
"$folder/venv/bin/python" - "$default" "$larger" <<'PYTHON'
import json
import sys

import torch

default, larger = map(json.loads, sys.argv[1:])
ratio = default["took_s"][-1] / larger["took_s"][-1]
for name, found in (("1,024 plans", default), ("16,384 plans", larger)):
    print(f"  {name}: passes of {found['took_s']} s, at most {found['memory_mb']} MB")
print(f"torch {torch.__version__}: the last pass takes {ratio:.1f} times as long with the default")
sys.exit(ratio < 1.5)
PYTHON
