"""The budget of a test, shown on small test files in a pytest of their own."""

import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.full  # seconds in all

BUSY = """
import time
import pytest

def busy(seconds):
    until_s = time.process_time() + seconds
    while time.process_time() < until_s:
        pass
"""


def outcome_of(folder: Path, test: str) -> str:
    (folder / "test_it.py").write_text(BUSY + test)
    (folder / "pytest.ini").write_text("[pytest]\nmarkers =\n  budget(seconds): x\n  long: x\n")
    plugin = ("-p", "tests.support.budgets", "-p", "no:cacheprovider")
    command = [sys.executable, "-m", "pytest", "-q", f"--rootdir={folder}", *plugin, "test_it.py"]
    done = subprocess.run(
        command,
        cwd=folder,
        env={"PYTHONPATH": str(Path(__file__).parents[1])},
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout


@pytest.mark.parametrize(
    ("marks", "outcome"),
    [
        ("@pytest.mark.budget(0.05)", "its budget is 0.05 s"),
        ("@pytest.mark.budget(5)", "1 passed"),
        ("", "1 passed"),
        ("@pytest.mark.long\n@pytest.mark.budget(0.05)", "1 passed"),
    ],
)
def test_a_test_fails_when_it_passes_its_budget(tmp_path, marks, outcome):
    assert outcome in outcome_of(tmp_path, f"{marks}\ndef test_it():\n    busy(0.1)\n")


def test_time_spent_asleep_is_not_counted_in_process(tmp_path):
    test = "@pytest.mark.budget(0.2)\ndef test_it():\n    time.sleep(0.3)\n"
    assert "1 passed" in outcome_of(tmp_path, test)
