"""The load test of `make loadtest`: about three minutes with a server of its own, on any machine.

    python -m loadtests.short --out loadtests/out

Makes a voice, runs all kinds of callers at once, then an open loop, then a short search for the
most conversations. Each run writes a report to a folder of its own. The last line is one JSON
object. Exits with 1 if a run finds a fault.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import yaml

from deployments.server import running
from loadtests.report import SUMMARY

ROOT = Path(__file__).parents[1]
RUNS: dict[str, tuple[str, ...]] = {
    "voices": ("--users", "enrol", "--callers", "1", "--minutes", "0.05"),  # starts the enroller
    "mixed": ("--users", "mixed", "--callers", "7", "--minutes", "0.4"),
    "poisson": ("--shape", "poisson", "--rate", "0.2", "--minutes", "0.3"),
    "saturation": ("--shape", "saturation", "--callers", "8", "--minutes", "0.15"),
}
WITHIN_S = 300.0  # per run
SHOWN = ("passed", "num_requests", "ttfa_ms", "stalled_share", "capacity", "bound_ttfa_ms")


def config(folder: Path) -> Path:
    """serve_config.yaml with a folder for the voices that callers make."""
    content = yaml.safe_load((ROOT / "serve_config.yaml").read_text())
    content["applications"][0]["args"]["uploads"] = str(folder / "voices")
    path = folder / "loadtest.yaml"
    path.write_text(yaml.safe_dump(content))
    return path


def run_one(url: str, out: Path, options: Sequence[str]) -> dict[str, object]:
    """Runs one load test. Returns its summary. Raises RuntimeError if there is none."""
    command = [sys.executable, "-m", "loadtests", "--url", url, "--out", str(out), *options]
    done = subprocess.run(
        command, cwd=ROOT, stdout=subprocess.PIPE, text=True, timeout=WITHIN_S, check=False
    )
    lines = done.stdout.splitlines()
    if done.returncode not in (0, 1) or not lines:
        raise RuntimeError(f"{' '.join(command)} ended with {done.returncode}")
    summary: dict[str, object] = json.loads((out / SUMMARY).read_text())
    for fault in summary["faults"] if isinstance(summary["faults"], list) else ():
        sys.stderr.write(f"{out.name}: {fault}\n")
    return summary


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=ROOT / "loadtests" / "out")
    out: Path = parser.parse_args().out.absolute()
    out.mkdir(parents=True, exist_ok=True)
    runs = {}
    with (
        tempfile.TemporaryDirectory() as folder,
        running(config(Path(folder)), out / "serve.log") as server,
    ):
        for name, options in RUNS.items():
            summary = run_one(server.url, out / name, options)
            runs[name] = {key: summary[key] for key in SHOWN if key in summary}
            sys.stdout.write(f"{name}: {json.dumps(runs[name])}\n")
            sys.stdout.flush()
    passed = all(run["passed"] for run in runs.values())
    result = {"benchmark": "loadtest", "passed": passed, "runs": runs}
    sys.stdout.write(json.dumps(result) + "\n")
    return 0 if passed else 1


if __name__ == "__main__":
    sys.exit(main())
