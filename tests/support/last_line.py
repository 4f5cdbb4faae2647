"""Runs a benchmark in a process that cannot import Ray."""

import json
import subprocess
import sys
from pathlib import Path

_BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
_WITHOUT_RAY = (
    "import runpy, sys; sys.modules['ray'] = None; sys.argv = sys.argv[1:]; "
    "runpy.run_path(sys.argv[0], run_name='__main__')"
)


def run(script: str, *options: str) -> tuple[str, dict]:
    """The output, and the JSON object in its last line."""
    command = [sys.executable, "-W", "ignore", "-c", _WITHOUT_RAY, str(_BENCHMARKS / script)]
    ended = subprocess.run([*command, *options], capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    return ended.stdout, json.loads(ended.stdout.splitlines()[-1])
