"""Runs a benchmark where Ray cannot be imported."""

import json
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

_BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
_WITHOUT_RAY = (
    "import runpy, sys; sys.modules['ray'] = None; sys.argv = sys.argv[1:]; "
    "runpy.run_path(sys.argv[0], run_name='__main__')"
)


def run_script(script: str, *options: str) -> tuple[str, dict]:
    """Runs a script of the checkout in a process of its own. Returns its output, and the JSON
    object in the last line."""
    command = [sys.executable, "-W", "ignore", "-c", _WITHOUT_RAY, str(_BENCHMARKS / script)]
    ended = subprocess.run([*command, *options], capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    return ended.stdout, json.loads(ended.stdout.splitlines()[-1])


def run_main(
    benchmark: ModuleType,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    *options: str,
) -> tuple[str, dict]:
    """As `run_script`, in this process: importing torch again would take seconds."""
    monkeypatch.setitem(sys.modules, "ray", None)
    monkeypatch.setattr(sys, "argv", [f"{benchmark.__name__}.py", *options])
    benchmark.main()
    output = capsys.readouterr().out
    return output, json.loads(output.splitlines()[-1])
