"""Measures the time of a server from its start to its first answers, by process and by library.

    python benchmarks/startup.py --rounds 3 --before ../the-commit-before

Each round starts three servers with `chatterbox-serve serve`, one after another: an application
that does nothing (the floor: Ray and Serve alone), the checkout of `--before`, and this checkout.
Measured are the start until /health answers 200, then a first request for speech, then the first
clone of a voice. Prints medians in seconds, of the clock and of the CPU time of all processes; on a
busy machine the second is the one to compare. `share_left` is the part above the floor divided by
that of `--before`.

A round before the others is not counted: it writes the bytecode of every module into a folder of
this benchmark, so that the others are like every start but a machine's first. With `--no-bytecode`
every start is like the first, which compiles each module. The last line is one JSON object.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

sys.path.insert(0, str(Path(__file__).parents[1]))  # run as a script from a checkout

from benchmarks.startup_sides import GIVE_UP_S, Server, Side, Start, use_bytecode

ROOT = Path(__file__).parents[1]
TEXT = (
    "Hello there. This is a recording of a voice, which is cloned a moment later. A recording must "
    "be longer than five seconds, so one more sentence follows the other two."
)
OPEN = """
import deployments.{module}
from app.config import ServeArgs
from app.engine.stages.{module} import {stage}
{stage}.open(ServeArgs(), "cpu").close()
"""
PROGRAMS = {  # what each of our processes imports until it is ready
    "T3": OPEN.format(module="t3", stage="T3Stage"),
    "Vocoder": OPEN.format(module="vocoder", stage="VocoderStage"),
    "Ingress": "import deployments.ingress, app.api.app",
    "builder": """
from app.config import ServeArgs
from deployments.app import assemble
assemble(ServeArgs(device="cpu"))
""",
    "Registry": "import ray, app.sessions.registry",
}
FLOOR = {"Empty": "import benchmarks.empty_app, ray.serve._private.replica"}


@contextmanager
def measuring(server: Server, start: Start, what: str) -> Iterator[None]:
    began_s, cpu_s = time.monotonic(), server.cpu_s()
    yield
    start.wall_s[what] = time.monotonic() - began_s
    start.cpu_s[what] = server.cpu_s() - cpu_s


def run(side: Side) -> Start:
    start = Start()
    with tempfile.TemporaryDirectory() as name:
        server = Server(side, Path(name))
        try:
            server.wait_healthy()
            start.wall_s["healthy"] = time.monotonic() - server.started_s
            start.cpu_s["healthy"] = server.cpu_s()
            start.processes_cpu_s = server.processes_cpu_s()
            if not side.is_empty:
                first_answers(server, start)
            start.legs_s = server.legs_s | server.replicas_s()
        finally:
            server.stop()
    return start


def first_answers(server: Server, start: Start) -> None:
    with httpx.Client(base_url=server.url, timeout=GIVE_UP_S) as client:
        body = {"model": "embedded", "voice": "ada", "input": TEXT, "response_format": "wav"}
        with measuring(server, start, "first say"):
            recording = client.post("/v1/audio/speech", json=body).raise_for_status().content
        form = {"name": "clone", "consent": "A benchmark clones the model's own voice."}
        with measuring(server, start, "first clone"):
            files = {"audio_sample": ("clone.wav", recording)}
            client.post("/v1/audio/voices", data=form, files=files).raise_for_status()
            client.post("/v1/audio/speech", json=body | {"voice": "clone"}).raise_for_status()


def imports_of(side: Side) -> dict[str, Any]:
    """Per process of ours the CPU seconds until it is ready, and its dearest libraries."""
    report = {}
    for name, program in (FLOOR if side.is_empty else PROGRAMS).items():
        script = str(Path(__file__).with_name("import_times.py"))
        command = [sys.executable, "-W", "ignore", script, program]
        environment = side.environment() | {"OMP_NUM_THREADS": "1"}
        ended = subprocess.run(
            command, cwd=side.root, env=environment, capture_output=True, text=True, check=False
        )
        if ended.returncode == 0:
            report[name] = json.loads(ended.stdout.splitlines()[-1])
        else:  # another checkout may have other modules
            report[name] = {"error": ended.stderr.splitlines()[-1]}
    return report


def medians(rows: list[dict[str, float]]) -> dict[str, float]:
    names = dict.fromkeys(name for row in rows for name in row)
    return {name: round(statistics.median(row.get(name, 0.0) for row in rows), 2) for name in names}


def report_of(side: Side) -> dict[str, Any]:
    starts = side.starts
    return {
        "wall_s": medians([start.wall_s for start in starts]),
        "cpu_s": medians([start.cpu_s for start in starts]),
        "legs_s": medians([start.legs_s for start in starts]),
        "processes_cpu_s": medians([start.processes_cpu_s for start in starts]),
    }


def share_left(report: dict[str, Any], clock: str) -> float:
    floor, before, now = (
        float(report[name][clock]["healthy"]) for name in ("floor", "before", "now")
    )
    return round((now - floor) / (before - floor), 3)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--before", type=Path, help="a checkout of the commit to compare with")
    parser.add_argument("--no-bytecode", action="store_true", help="start as the first time")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        use_bytecode(None if args.no_bytecode else folder)
        report = compare(args.before, args.rounds, is_warm=not args.no_bytecode)
    sys.stdout.write(json.dumps(report) + "\n")


def compare(before: Path | None, num_rounds: int, *, is_warm: bool) -> dict[str, Any]:
    """`is_warm`: the first round is not counted."""
    sides = [Side("floor", ROOT, is_empty=True), Side("now", ROOT)]
    if before is not None:
        sides.insert(1, Side("before", before.resolve()))
    for index in range(num_rounds + is_warm):
        for side in sides:
            start = run(side)
            if is_warm and index == 0:
                continue
            side.starts.append(start)
            sys.stdout.write(f"{side.name:<7} {json.dumps(report_of(side)['cpu_s'])}\n")
            sys.stdout.flush()
    report: dict[str, Any] = {"benchmark": "startup", "rounds": num_rounds, "bytecode": is_warm}
    report |= {side.name: report_of(side) for side in sides}
    report["imports"] = {side.name: imports_of(side) for side in sides}
    if before is not None:
        report["share_left"] = {clock: share_left(report, clock) for clock in ("wall_s", "cpu_s")}
    return report


if __name__ == "__main__":
    main()
