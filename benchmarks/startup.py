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
import os
import re
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import psutil
import yaml

sys.path.insert(0, str(Path(__file__).parents[1]))  # run as a script from a checkout

from deployments.server import free_port

ROOT = Path(__file__).parents[1]
GIVE_UP_S = 600.0
SAMPLE_S = 0.25
TEXT = (
    "Hello there. This is a recording of a voice, which is cloned a moment later. A recording must "
    "be longer than five seconds, so one more sentence follows the other two."
)
NAMES = (  # of a process, by its command line; the first that fits
    (re.compile(r"ServeReplica:\w+:(\w+)"), r"\1"),
    (re.compile(r"^ray::(Registry)"), r"\1"),
    (re.compile(r"^ray::build_serve_application"), "builder"),
    (re.compile(r"^ray::(?:ServeController|ProxyActor)"), "Serve"),
    (re.compile(r"deployments\.serve_run"), "serve run"),
    (re.compile(r"deployments\.cli"), "command"),
    (re.compile(r"^ray::IDLE|default_worker\.py"), "idle workers"),
)
MILESTONES = {  # a line of the output says that this is done
    "ray": "Started a local Ray instance",
    "serve": "Started Serve in namespace",
    "application built": "Imported and built app",
}
STARTED = re.compile(r"deployment='(\w+)', app='\w+'\) started successfully .* after ([\d.]+)s")
OPEN = """
import deployments.{module}
from app.config import ServeArgs
from app.engine.stages.{module} import {stage}
{stage}.open(ServeArgs(), "cpu").close()
"""
PROGRAMS = {  # what each of our processes imports until it is ready
    "T3": OPEN.format(module="t3", stage="T3Stage"),
    "Vocoder": OPEN.format(module="vocoder", stage="VocoderStage"),
    "Ingress": "import deployments.ingress",
    "builder": """
from app.config import ServeArgs
from deployments.app import assemble
assemble(ServeArgs(device="cpu"))
""",
    "Registry": "import ray, app.sessions.registry",
}


@dataclass(slots=True)
class Side:
    """A checkout and the config that its server gets."""

    name: str
    root: Path
    is_empty: bool = False
    starts: list["Start"] = field(default_factory=list)

    def config(self, folder: Path) -> dict[str, Any]:
        content: dict[str, Any] = yaml.safe_load((self.root / "serve_config.yaml").read_text())
        if self.is_empty:
            path = "benchmarks.empty_app:app"
            content["applications"] = [{"name": "empty", "route_prefix": "/", "import_path": path}]
        else:
            content["applications"][0]["args"]["uploads"] = str(folder / "uploads")
        return content

    def environment(self) -> dict[str, str]:
        return {**os.environ, "PYTHONPATH": str(self.root), "HF_HUB_OFFLINE": "1"}


def use_bytecode(folder: str | None) -> None:
    """In all processes that this one starts. None: every module is compiled every time."""
    if folder is None:
        os.environ["PYTHONDONTWRITEBYTECODE"] = "1"
        folder = os.devnull
    else:
        os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    os.environ["PYTHONPYCACHEPREFIX"] = folder


@dataclass(slots=True)
class Start:
    """Seconds. `legs_s`: from the start to each milestone, and how long each replica took."""

    wall_s: dict[str, float] = field(default_factory=dict)
    cpu_s: dict[str, float] = field(default_factory=dict)
    processes_cpu_s: dict[str, float] = field(default_factory=dict)
    legs_s: dict[str, float] = field(default_factory=dict)


class Server:
    """One server and the CPU time of its processes, of those that have ended too."""

    def __init__(self, side: Side, folder: Path) -> None:
        self._log = folder / "serve.log"
        config, port = folder / "serve_config.yaml", free_port()
        config.write_text(yaml.safe_dump(side.config(folder)))
        command = [sys.executable, "-m", "deployments.cli", "serve", "--config", str(config)]
        self.url = f"http://127.0.0.1:{port}"
        self.started_s = time.monotonic()
        with self._log.open("wb") as output:
            self.process = subprocess.Popen(
                [*command, "--port", str(port)],
                cwd=side.root,
                env=side.environment(),
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        self._names: dict[int, str] = {}
        self._cpu_s: dict[int, float] = {}
        self.legs_s: dict[str, float] = {}
        self._session: Path | None = None

    def sample(self) -> None:
        root = psutil.Process(self.process.pid)
        for process in (root, *root.children(recursive=True)):
            try:
                times, command = process.cpu_times(), " ".join(process.cmdline())
            except psutil.Error:  # it has just ended
                continue
            self._cpu_s[process.pid] = times.user + times.system
            name = name_of(command)
            if name not in ("Ray", "idle workers") or process.pid not in self._names:
                self._names[process.pid] = name
            if self._session is None and (found := re.search(r"--log_dir=(\S+)", command)):
                self._session = Path(found[1])
        text = self._log.read_text(errors="replace")
        for leg, line in MILESTONES.items():
            if line in text:
                self.legs_s.setdefault(leg, time.monotonic() - self.started_s)

    def cpu_s(self) -> float:
        self.sample()
        return sum(self._cpu_s.values())

    def processes_cpu_s(self) -> dict[str, float]:
        """By the name of the process. "Ray" stands for all that is not ours or Serve's."""
        total: defaultdict[str, float] = defaultdict(float)
        for pid, seconds in self._cpu_s.items():
            total[self._names[pid]] += seconds
        return dict(total)

    def wait_healthy(self) -> None:
        while time.monotonic() < self.started_s + GIVE_UP_S:
            self.sample()
            try:
                if httpx.get(f"{self.url}/health", timeout=5).status_code == httpx.codes.OK:
                    return
            except httpx.HTTPError:
                pass
            if self.process.poll() is not None:
                break
            time.sleep(SAMPLE_S)
        raise RuntimeError(f"the server did not start:\n{self._log.read_text()[-3000:]}")

    def replicas_s(self) -> dict[str, float]:
        """How long Serve waited for each replica, from the controller's log."""
        assert self._session is not None
        logs = (path.read_text() for path in (self._session / "serve").glob("controller_*.log"))
        return {f"replica {name}": float(s) for log in logs for name, s in STARTED.findall(log)}

    def stop(self) -> None:
        self.process.send_signal(signal.SIGINT)
        self.process.wait(60)


def name_of(command: str) -> str:
    for pattern, name in NAMES:
        if (found := pattern.search(command)) is not None:
            return found.expand(name)
    return "Ray"


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
    for name, program in PROGRAMS.items():
        script = str(Path(__file__).with_name("import_times.py"))
        command = [sys.executable, "-W", "ignore", script, program]
        environment = side.environment() | {"OMP_NUM_THREADS": "1"}
        ended = subprocess.run(
            command, cwd=side.root, env=environment, capture_output=True, text=True, check=False
        )
        if ended.returncode == 0:  # an older checkout may have other modules
            report[name] = json.loads(ended.stdout.splitlines()[-1])
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
    report["imports"] = {side.name: imports_of(side) for side in sides if not side.is_empty}
    if before is not None:
        report["share_left"] = {clock: share_left(report, clock) for clock in ("wall_s", "cpu_s")}
    return report


if __name__ == "__main__":
    main()
