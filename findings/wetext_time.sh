#!/usr/bin/env bash
# Library:   wetext 0.1.8, Python 3.11, Linux. No part of this project is used.
#
# Behaviour: The time of a normalisation grows faster than the text: ten sentences with numbers at
#            once take many times as long as the ten one by one.
#
# Expected:  About the same time.
#
# Affected:  Programs that give it whole paragraphs: 230 characters hold a core for a fifth of a second.
#
# Seen:      2026-11-30, two cores:
#   wetext 0.1.8, ten sentences with three numbers each: 39 ms one by one, 196 ms at once
#
# Exits with 0 where ten sentences at once take three times as long as one by one, or longer; with 1
# where the behaviour has changed. Takes 20 s.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

cat >"$folder/measure.py" <<'PYTHON'
import sys
import time

from wetext import Normalizer

SENTENCE = "他付了1200元房租，比分是3:2，有2只猫。"
normalizer = Normalizer(lang="zh", operator="tn")
normalizer.normalize(SENTENCE)  # loads the grammar


def milliseconds(text: str) -> float:
    start = time.perf_counter()
    normalizer.normalize(text)
    return (time.perf_counter() - start) * 1e3


one_by_one = sum(min(milliseconds(SENTENCE) for _ in range(3)) for _ in range(10))
at_once = min(milliseconds(SENTENCE * 10) for _ in range(3))
print(
    f"wetext 0.1.8, ten sentences with three numbers each: {one_by_one:.0f} ms one by one, "
    f"{at_once:.0f} ms at once"
)
sys.exit(at_once < 3 * one_by_one)
PYTHON

"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet --disable-pip-version-check wetext==0.1.8
"$folder/venv/bin/python" "$folder/measure.py"
