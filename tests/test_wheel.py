"""An install that is not editable has the default model, and nothing of the tests."""

import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGED = ("app", "deployments", "checkpoints")
FOLDERS = (*PACKAGED, "tests", "training", "benchmarks", "loadtests")
FIND = """
from app.engine.checkpoint.find_model import EMBEDDED_FOLDER, card_of, find_model
print(EMBEDDED_FOLDER)
for name in ("embedded", "embedded-babble", "embedded-turbo"):
    print(name, *card_of(find_model(name)).voices)
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built from a copy: a build leaves folders in its tree, and takes in what an earlier left."""
    copy = tmp_path_factory.mktemp("copy")
    for name in FOLDERS:
        shutil.copytree(ROOT / name, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, copy)
    options = ("--quiet", "--no-deps", "--no-build-isolation", "--no-index", "--wheel-dir", "out")
    command = [sys.executable, "-m", "pip", "wheel", *options, "."]
    subprocess.run(command, cwd=copy, check=True, timeout=240)
    (built,) = (copy / "out").glob("*.whl")
    return built


@pytest.mark.full
def test_a_wheel_has_the_program_and_the_embedded_models_alone(wheel):
    tops = {name.partition("/")[0] for name in zipfile.ZipFile(wheel).namelist()}
    assert {top for top in tops if not top.endswith(".dist-info")} == set(PACKAGED)


@pytest.mark.full
def test_a_wheel_has_every_file_of_the_page(wheel):
    packaged = set(zipfile.ZipFile(wheel).namelist())
    files = {f"app/web/{path.name}" for path in (ROOT / "app/web").iterdir() if path.is_file()}
    assert "app/web/playout-worklet.js" in files
    assert files <= packaged


@pytest.mark.full
def test_the_unpacked_wheel_finds_each_embedded_model(wheel, tmp_path):
    zipfile.ZipFile(wheel).extractall(tmp_path)
    # A script's folder comes first on sys.path, before an editable install.
    (tmp_path / "find.py").write_text(FIND)
    command = [sys.executable, "-W", "ignore", "find.py"]
    found = subprocess.run(
        command, cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False
    )
    assert found.returncode == 0, found.stderr
    assert found.stdout.splitlines() == [
        str(tmp_path / "checkpoints"),
        *(f"{name} ada bela cleo" for name in ("embedded", "embedded-babble", "embedded-turbo")),
    ]
    for path in (ROOT / "checkpoints").rglob("*.*"):
        unpacked = tmp_path / path.relative_to(ROOT)
        assert unpacked.read_bytes() == path.read_bytes(), path
