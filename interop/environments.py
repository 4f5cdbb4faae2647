"""The environments of the clients: each has its own packages, pinned in interop/requirements."""

import hashlib
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "build" / "interop"
UV = Path(sys.executable).with_name("uv")


def python_of(name: str) -> Path:
    """The interpreter of the environment, which is made where it is missing or out of date."""
    requirements = ROOT / "interop" / "requirements" / f"{name}.txt"
    folder = FOLDER / name
    stamp, wanted = folder / "made_of", hashlib.sha256(requirements.read_bytes()).hexdigest()
    if not stamp.exists() or stamp.read_text() != wanted:
        _run([UV, "venv", "--quiet", "--clear", "--python", sys.executable, folder])
        _run([UV, "pip", "sync", "--quiet", "--python", folder / "bin" / "python", requirements])
        stamp.write_text(wanted)
    return folder / "bin" / "python"


def _run(command: list[object]) -> None:
    subprocess.run([str(part) for part in command], check=True, cwd=ROOT)
