#!/usr/bin/env bash
# Library:   pytest-xdist 3.8.0 with pytest 9.2.0, Python 3.11, Linux. No part of this project is used.
#
# Behaviour: Under `--dist loadgroup` tests that carry the same `xdist_group` mark run in different
#            processes. pytest-xdist sends a group's name to its scheduler as a suffix of the test's
#            name, which it writes to an attribute that pytest 9.2 no longer reads. Nothing warns:
#            each test is a group of its own.
#
# Expected:  The tests of one group run in one process, as with pytest 9.0.2.
#
# Affected:  Suites whose groups share something costly or exclusive, such as one server or a port:
#            each process starts its own, at the same time.
#
# Seen:      2026-11-30, two cores, three runs, each time:
#   pytest-xdist 3.8.0, processes that run one group of 8 tests: 1 with pytest 9.0.2, 2 with pytest 9.2.0
#
# Exits with 0 where the two behave like this, with 1 where the behaviour has changed. Takes 20 s.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

cat >"$folder/test_groups.py" <<'PYTHON'
import os
import pathlib
import time

import pytest


@pytest.mark.xdist_group("together")
@pytest.mark.parametrize("number", range(8))
def test_of_one_group(number):
    time.sleep(0.05)  # so that the other process is free when the next test is handed out
    with pathlib.Path(os.environ["PROCESSES"]).open("a") as lines:
        lines.write(f"{os.getpid()}\n")
PYTHON

num_processes() { # $1: the version of pytest
    "${PYTHON:-python3}" -m venv "$folder/$1"
    "$folder/$1/bin/python" -m pip install --quiet --disable-pip-version-check \
        "pytest==$1" pytest-xdist==3.8.0 execnet==2.1.2
    (cd "$folder" && PROCESSES="$folder/$1.processes" "$folder/$1/bin/python" -m pytest -q \
        -p no:cacheprovider -n 2 --dist loadgroup test_groups.py >/dev/null)
    sort -u "$folder/$1.processes" | wc -l
}

before=$(num_processes 9.0.2)
now=$(num_processes 9.2.0)
echo "pytest-xdist 3.8.0, processes that run one group of 8 tests: $before with pytest 9.0.2, $now with pytest 9.2.0"
[ "$before" -eq 1 ] && [ "$now" -eq 2 ]
