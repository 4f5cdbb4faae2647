"""Plain pip, from nothing: the lock, then the package as a wheel, serve in a venv of their own."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from deployments.server import free_port
from tests.test_wheel import FOLDERS

ROOT = Path(__file__).parents[1]


@pytest.mark.long
@pytest.mark.timeout(3600)
def test_what_pip_installs_serves(tmp_path):
    # A copy, because a build leaves folders in its tree.
    copy, venv, elsewhere = tmp_path / "copy", tmp_path / "venv", tmp_path / "elsewhere"
    for name in FOLDERS:
        shutil.copytree(ROOT / name, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE", "requirements.lock"):
        shutil.copy(ROOT / name, copy)
    elsewhere.mkdir()
    shutil.copy(ROOT / "serve_config.yaml", elsewhere)

    run(sys.executable, "-m", "venv", venv, cwd=copy)
    pip = (venv / "bin" / "python", "-m", "pip", "install", "--quiet", "--no-deps")
    run(*pip, "--require-hashes", "-r", "requirements.lock", cwd=copy)
    run(*pip, "--no-build-isolation", ".", cwd=copy)
    program = venv / "bin" / "chatterbox-serve"
    told = run(program, "demo", "--port", free_port(), cwd=elsewhere)
    assert "cancelled a longer text" in told
    assert (elsewhere / "demo.wav").stat().st_size > 10_000


def run(*command: object, cwd: Path) -> str:
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    ended = subprocess.run(
        [str(word) for word in command],
        cwd=cwd,
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
        timeout=1800,
        check=True,
    )
    return ended.stdout
