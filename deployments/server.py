"""Runs `serve run` (serve_run.py) as a child process: checks the config, starts the process, waits
until the server answers, and stops the process with all processes that it started."""

import contextlib
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import psutil
import yaml

from app.config import Limits, ServeArgs
from app.errors import ConfigError, Unavailable
from deployments import haproxy
from deployments.config_check import check_config, check_model

MARK = "CHATTERBOX_SERVE_RUN"  # an environment variable of every process of one run
GCS_ADDRESS = re.compile(r"--gcs-address=(\S+)")  # Ray's own command line finds a cluster by it
DASHBOARD_PORTS = range(8265, 8265 + 51)  # Ray takes the first free one
STOP_WITHIN_S = 30.0
READER_WATCH = {"RAY_SERVE_HTTP_PROXY_CALLBACK_IMPORT_PATH": "app.api.slow_readers:middlewares"}


class ServerProcess:
    """One local Ray cluster with the application of one config file."""

    def __init__(self, config: Path, port: int | None = None, log: Path | None = None) -> None:
        """Raises ConfigError for a faulty file or a taken port. Without a `log`, the child
        inherits the output."""
        self._content = content = check_config(config)
        http = content.setdefault("http_options", {})
        self.port = int(port if port is not None else http.get("port", 8000))
        self.host = str(http.get("host", "127.0.0.1"))
        http["port"] = self.port
        refuse_taken_port(self.host, self.port)
        self._mark = uuid.uuid4().hex
        self._log = log
        self._process = self._start(content)

    @property
    def url(self) -> str:
        host = "127.0.0.1" if self.host == "0.0.0.0" else self.host
        return f"http://{host}:{self.port}"

    def _start(self, content: dict[str, Any]) -> "subprocess.Popen[bytes]":
        self._folder = tempfile.TemporaryDirectory(prefix="chatterbox-serve-")
        path = Path(self._folder.name) / "serve_config.yaml"
        path.write_text(yaml.safe_dump(content))
        output = None if self._log is None else self._log.open("wb")
        with contextlib.ExitStack() as opened:
            if output is not None:
                opened.enter_context(output)
            return subprocess.Popen(
                [sys.executable, "-m", "deployments.serve_run", str(path)],
                env=self.environment() | {"RAY_ADDRESS": "local"},  # joins no other cluster
                stdout=output,
                stderr=subprocess.STDOUT if output else None,
                start_new_session=True,  # Ctrl-C reaches the child through stop() only
            )

    @property
    def longest_session_s(self) -> float:
        return max(limits.request_timeout_s for limits in self._limits())

    @property
    def gcs_silence_s(self) -> float:
        return max(limits.gcs_silence_s for limits in self._limits())

    def _limits(self) -> Iterator[Limits]:
        for app in self._content["applications"]:
            yield ServeArgs.model_validate(app.get("args") or {}).limits

    def check_model(self) -> None:
        """Checks the model's files while the server boots, so that a fault is one clear error."""
        check_model(self._content)

    def environment(self) -> dict[str, str]:
        """The environment of a process that joins this run's cluster or ends with it."""
        own = {MARK: self._mark, "RAY_USAGE_STATS_ENABLED": "0"}
        # A process that reaches Ray's ports can run any code, so Ray must ask for a token.
        # By default the autoscaler hears of the load every ten seconds, which is too late. Without
        # READER_WATCH a replica does not learn that a client reads nothing.
        defaults = {
            "RAY_AUTH_MODE": "token",
            "RAY_worker_niceness": "0",  # else 15: a neighbour takes all of a core
            "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",  # Ray then listens on loopback
            "RAY_task_events_report_interval_ms": "0",  # else the GCS keeps 10 KB of each request
            "RAY_SERVE_REPLICA_AUTOSCALING_METRIC_PUSH_INTERVAL_S": "1",
        } | READER_WATCH
        return defaults | haproxy.variables() | dict(os.environ) | own

    def wait_ready(self, timeout_s: float = 180.0) -> None:
        """Waits until /health answers 200. Raises Unavailable with the end of the log."""
        give_up_at = time.monotonic() + timeout_s
        with httpx.Client(base_url=self.url, timeout=2) as client:
            while time.monotonic() < give_up_at:
                if self._process.poll() is not None:
                    break
                with contextlib.suppress(httpx.HTTPError):
                    if client.get("/health").status_code == httpx.codes.OK:
                        return
                time.sleep(0.5)
        raise Unavailable(f"the server did not start:\n{self._output()[-3000:]}")

    def dashboard_url(self) -> str | None:
        """The address of Ray's dashboard. None where no dashboard listens."""
        for process in self.processes():
            with contextlib.suppress(psutil.Error):  # the process has ended since
                if any(word.endswith("dashboard/dashboard.py") for word in process.cmdline()):
                    for connection in process.net_connections("tcp"):
                        if connection.status == psutil.CONN_LISTEN and (
                            connection.laddr.port in DASHBOARD_PORTS
                        ):
                            return f"http://127.0.0.1:{connection.laddr.port}"
        return None

    @property
    def is_running(self) -> bool:
        """False where `serve run` has ended by itself."""
        return self._process.poll() is None

    def start_drain(self) -> "subprocess.Popen[str]":
        """A process that refuses new sessions and ends when the running ones have ended
        (deployments/drain.py). Raises Unavailable if no cluster is up."""
        return self._start_inside("deployments.drain", str(self.longest_session_s))

    def run_inside(self, module: str, *arguments: str, within_s: float = 60.0) -> str:
        """Runs a module of ours that joins this cluster. Returns its stdout. Raises Unavailable if
        no cluster is up, and subprocess.TimeoutExpired."""
        process = self._start_inside(module, *arguments)
        try:
            return process.communicate(timeout=within_s)[0]
        finally:
            process.kill()

    def _start_inside(self, module: str, *arguments: str) -> "subprocess.Popen[str]":
        found = GCS_ADDRESS.search(" ".join(self._command_lines()))
        if found is None:
            raise Unavailable("no cluster is up")
        return subprocess.Popen(
            [sys.executable, "-m", module, found[1], *arguments],
            env=self.environment(),
            stdout=subprocess.PIPE,
            text=True,
        )

    def _command_lines(self) -> Iterator[str]:
        for process in self.processes():
            with contextlib.suppress(psutil.Error):  # the process has ended since
                yield " ".join(process.cmdline())

    def stop(self, within_s: float = STOP_WITHIN_S) -> list[str]:
        """Ends every process of this run. Returns the names of those that had to be killed. 0 s:
        kills all of them at once, because a cluster that is dead cannot stop itself."""
        if self.is_running:
            self._process.send_signal(signal.SIGINT)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(within_s)
        _, stubborn = psutil.wait_procs(self.processes(), timeout=min(within_s, 5.0))
        killed = [process.info["name"] for process in stubborn]
        for process in stubborn:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        psutil.wait_procs(stubborn, timeout=5)
        self._folder.cleanup()
        return killed

    def processes(self) -> list[psutil.Process]:
        """Every live process of this run, also one whose parent has ended. Ray's agents overwrite
        their environment, and are found as children of the raylet."""
        found: dict[int, psutil.Process] = {}
        unmarked = []
        for process in psutil.process_iter(["name", "environ", "ppid"]):
            if (process.info["environ"] or {}).get(MARK) == self._mark:
                found[process.pid] = process
            else:
                unmarked.append(process)
        found |= {p.pid: p for p in unmarked if p.info["ppid"] in found}
        found.pop(os.getpid(), None)
        return list(found.values())

    def _output(self) -> str:
        return "" if self._log is None else self._log.read_text(errors="replace")


@contextlib.contextmanager
def running(config: Path, log: Path) -> Iterator[ServerProcess]:
    """A ready server on a free port. Leaving the block stops the server."""
    server = ServerProcess(config, free_port(), log=log)
    try:
        server.wait_ready()
        yield server
    finally:
        server.stop()


def refuse_taken_port(host: str, port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            message = f"port {port} on {host} cannot be used ({error.strerror})"
            raise ConfigError(
                f"{message}; choose another with --port, or PORT= for make"
            ) from error


def free_port() -> int:
    """A port of this machine on which no process listens now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
