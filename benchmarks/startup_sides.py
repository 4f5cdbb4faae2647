"""The servers that benchmarks/startup.py starts, and the time of their processes.

Knows nothing about rounds or comparisons.
"""

import os
import re
import signal
import subprocess
import sys
import time
from collections import defaultdict
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import psutil
import yaml

from deployments.server import free_port

GIVE_UP_S = 600.0
SAMPLE_S = 0.25
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


@dataclass(slots=True)
class Side:
    """A checkout and the config that its server gets."""

    name: str
    root: Path
    is_empty: bool = False
    args: dict[str, Any] = field(default_factory=dict)  # more than those of its serve_config.yaml
    starts: list["Start"] = field(default_factory=list)

    def config(self, folder: Path) -> dict[str, Any]:
        content: dict[str, Any] = yaml.safe_load((self.root / "serve_config.yaml").read_text())
        if self.is_empty:
            path = "benchmarks.empty_app:app"
            content["applications"] = [{"name": "empty", "route_prefix": "/", "import_path": path}]
        else:
            content["applications"][0]["args"] |= {"uploads": str(folder / "uploads"), **self.args}
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
        with httpx.Client(base_url=self.url, timeout=5) as client:
            while time.monotonic() < self.started_s + GIVE_UP_S:
                self.sample()
                with suppress(httpx.HTTPError):
                    if client.get("/health").status_code == httpx.codes.OK:
                        return
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
        """Kills what does not end by itself."""
        processes = psutil.Process(self.process.pid).children(recursive=True)
        self.process.send_signal(signal.SIGINT)
        with suppress(subprocess.TimeoutExpired):
            self.process.wait(60)
        for process in psutil.wait_procs(processes, timeout=5)[1]:
            with suppress(psutil.NoSuchProcess):
                process.kill()
        self.process.kill()
        self.process.wait()


def name_of(command: str) -> str:
    for pattern, name in NAMES:
        if (found := pattern.search(command)) is not None:
            return found.expand(name)
    return "Ray"
