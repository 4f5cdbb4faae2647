"""`serve run` as a child process: a faulty start is one early error, and no process is left."""

import contextlib
import ipaddress
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import httpx
import numpy as np
import psutil
import pytest
import soundfile
import yaml

from app.engine.device.cpu_share import ENGINE
from app.errors import ConfigError
from deployments.server import ServerProcess, free_port
from tests.support.cpu_shares import share_of
from tests.support.deployments.served_app import wait_until_healthy
from tests.support.eventually import eventually_sync

ROOT = Path(__file__).parents[2]
ENDS_WITHIN_S = 25  # 10 s on a quiet machine
HANGS_FOR_S = 5.0  # longer: a GCS that hangs may go on, a dead one cannot
LONG = pytest.mark.long  # another part that dies in the same way
COMMAND = [sys.executable, "-W", "ignore", "-m", "deployments.cli"]


def run(
    *arguments: object, deaf_to: signal.Signals | None = None, **environment: str
) -> subprocess.CompletedProcess[str]:
    command = [*COMMAND, *map(str, arguments)]
    if deaf_to is not None:
        command = ["sh", "-c", f'trap "" {deaf_to:d}; exec "$@"', "sh", *command]
    return subprocess.run(
        command,
        cwd=ROOT,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )


@pytest.fixture
def dead_cluster() -> Iterator[str]:
    """A temporary folder in which Ray finds the address of a cluster that has ended."""
    with tempfile.TemporaryDirectory() as folder:  # short: the path of a socket is bounded
        address = Path(folder) / "ray" / "ray_current_cluster"
        address.parent.mkdir()
        address.write_text("127.0.0.1:1")
        yield folder


def test_a_taken_port_is_an_error_before_the_start():
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        port = holder.getsockname()[1]
        with pytest.raises(ConfigError, match=f"port {port} .*PORT="):
            ServerProcess(ROOT / "serve_config.yaml", port)


def test_a_missing_model_is_one_error(tmp_path):
    content = yaml.safe_load((ROOT / "serve_config.yaml").read_text())
    content["applications"][0]["args"]["model"] = "./nowhere"
    config = tmp_path / "config.yaml"
    config.write_text(yaml.safe_dump(content))
    ended = run("demo", "--config", config, "--port", free_port())
    assert ended.returncode == 1
    assert "nowhere is not a folder" in ended.stderr
    assert "Traceback" not in ended.stderr
    assert "0 of its processes are still running" in ended.stdout


def test_the_demo_speaks_cancels_and_leaves_no_process(tmp_path, dead_cluster):
    out = tmp_path / "demo.wav"
    options = ("--port", free_port(), "--out", out)
    ended = run("demo", *options, deaf_to=signal.SIGINT, RAY_TMPDIR=dead_cluster)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "had to be killed" not in ended.stdout  # although SIGINT was ignored at its start
    assert "0 of its processes are still running" in ended.stdout
    wav, rate = soundfile.read(out)
    assert f"{len(wav) / rate:.1f} s of audio" in ended.stdout
    assert 0.005 < np.abs(wav).mean() < 0.5
    assert "cancelled a longer text" in ended.stdout


def engines_alone_yield(process: "subprocess.Popen[str]") -> None:
    """Every thread of a replica has the share of a core of this test, but the engine's."""
    if sys.platform != "linux":
        return
    for stage in ("T3", "Vocoder"):
        title = f"ray::ServeReplica:chatterbox:{stage}"
        (replica,) = (p for p in cluster_of(process) if " ".join(p.cmdline()).startswith(title))
        found = Counter(share_of(thread.id) for thread in replica.threads())
        assert found.keys() == {share_of(0), tuple(ENGINE)}
        assert found[tuple(ENGINE)] == 1


def test_sigterm_refuses_new_sessions_and_finishes_running_ones():
    url = f"http://127.0.0.1:{(port := free_port())}"
    command = [*COMMAND, "serve", "--port", str(port)]
    body = {"model": "embedded", "voice": "ada", "response_format": "pcm", "input": "Hello."}
    with (
        subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL) as process,
        contextlib.ExitStack() as undo,
    ):
        undo.callback(process.terminate)
        wait_until_healthy(url, process)
        long = body | {"input": "It was a bright cold day in April, and it went on and on. " * 6}
        with httpx.stream("POST", f"{url}/v1/audio/speech", json=long, timeout=120) as running:
            parts = running.iter_raw()
            next(parts)
            engines_alone_yield(process)
            process.terminate()

            def refusal() -> httpx.Response | None:
                answer = httpx.post(f"{url}/v1/audio/speech", json=body, timeout=60)
                return None if answer.is_success else answer

            refused = eventually_sync(refusal, within_s=60, what="a new session is refused")
            assert refused.status_code == httpx.codes.SERVICE_UNAVAILABLE
            assert refused.headers["retry-after"] == "1"
            assert refused.json()["error"]["code"] == "draining"
            assert len(b"".join(parts)) > 0  # httpx raises if the stream breaks off
        assert process.wait(60) == 0


@pytest.mark.long
def test_serve_ends_when_the_application_cannot_be_deployed(tmp_path):
    content = yaml.safe_load((ROOT / "serve_config.yaml").read_text())
    content["applications"][0]["args"]["voices"] = str(tmp_path / "nowhere")
    config = tmp_path / "config.yaml"
    config.write_text(yaml.safe_dump(content))
    ended = run("serve", "--config", config, "--port", free_port())
    assert ended.returncode == 1
    assert "nowhere" in ended.stdout + ended.stderr
    assert "the server ended by itself" in ended.stderr


@contextlib.contextmanager
def serving_no_model(folder: Path) -> Iterator[tuple["subprocess.Popen[str]", str]]:
    """`chatterbox-serve serve` and its URL, once the server is healthy. Its errors are in the
    folder's `errors`."""
    content = yaml.safe_load((ROOT / "serve_config.yaml").read_text())
    content["applications"] = [
        {"name": "healthy", "import_path": "tests.support.deployments.no_model:app"}
    ]
    config = folder / "config.yaml"
    config.write_text(yaml.safe_dump(content))
    url = f"http://127.0.0.1:{(port := free_port())}"
    command = [*COMMAND, "serve", "--config", str(config), "--port", str(port)]
    with (
        (folder / "errors").open("w") as errors,
        subprocess.Popen(
            command, cwd=ROOT, stdout=subprocess.PIPE, stderr=errors, text=True
        ) as process,
        contextlib.ExitStack() as undo,
    ):
        undo.callback(process.terminate)
        wait_until_healthy(url, process)
        yield process, url


def cluster_of(process: "subprocess.Popen[str]", *names: str) -> list[psutil.Process]:
    """The processes below it, all or those with these names."""
    found = psutil.Process(process.pid).children(recursive=True)
    return [other for other in found if not names or other.name() in names]


def listens_outside(process: psutil.Process) -> list[int]:
    """The ports on which it listens for other machines."""
    ports = []
    for connection in process.net_connections("inet"):
        if connection.status == psutil.CONN_LISTEN:
            address = ipaddress.ip_address(connection.laddr.ip)
            address = getattr(address, "ipv4_mapped", None) or address
            if not address.is_loopback:
                ports.append(connection.laddr.port)
    return ports


def loopback_alone_but_for_one_port_of_each_replica(process: "subprocess.Popen[str]") -> None:
    cluster = cluster_of(process)
    assert {"raylet", "gcs_server"} < {other.name() for other in cluster}
    for other in cluster:
        is_replica = other.cmdline()[:1] and other.cmdline()[0].startswith("ray::ServeReplica")
        assert len(listens_outside(other)) == bool(is_replica), other


def tells_the_dashboard(process: "subprocess.Popen[str]") -> None:
    told = next(line for line in process.stdout or () if line.startswith("Ray's dashboard: "))
    assert re.search(r": http://127\.0\.0\.1:\d+\. Its token: \S+/ray get-auth-token$", told)


@pytest.mark.long
def test_serve_exits_with_1_when_its_server_dies(tmp_path):
    with serving_no_model(tmp_path) as (process, url):
        (child,) = [
            other
            for other in psutil.Process(process.pid).children()
            if "deployments.serve_run" in other.cmdline()
        ]
        child.kill()
        assert process.wait(90) == 1
    assert "the server ended by itself" in (tmp_path / "errors").read_text()
    with pytest.raises(httpx.TransportError):
        httpx.get(f"{url}/health")


@pytest.mark.parametrize(
    ("name", "number", "why", "within_s"),
    [
        ("raylet", signal.SIGKILL, "has died", ENDS_WITHIN_S),
        pytest.param("gcs_server", signal.SIGKILL, "has died", ENDS_WITHIN_S, marks=LONG),
        pytest.param(
            "gcs_server", signal.SIGSTOP, "does not answer", ENDS_WITHIN_S + HANGS_FOR_S, marks=LONG
        ),
    ],
)
def test_serve_stays_on_loopback_until_a_dead_part_of_its_cluster_ends_it_with_3_and_its_name(
    tmp_path, name, number, why, within_s
):
    with serving_no_model(tmp_path) as (process, _):
        tells_the_dashboard(process)
        loopback_alone_but_for_one_port_of_each_replica(process)
        before = cluster_of(process)
        (part,) = cluster_of(process, name)
        part.send_signal(number)
        assert process.wait(within_s) == 3
        told = (tmp_path / "errors").read_text()
        assert re.search(rf"^error: .*\b{name}\b.* {why}", told, re.MULTILINE)
        _, left = psutil.wait_procs(before, timeout=5)
        assert left == []


@pytest.mark.long
@pytest.mark.parametrize(
    ("name", "number"), [("raylet", signal.SIGKILL), ("gcs_server", signal.SIGSTOP)]
)
def test_sigterm_does_not_wait_for_a_cluster_that_cannot_answer(tmp_path, name, number):
    with serving_no_model(tmp_path) as (process, _):
        before = cluster_of(process)
        (part,) = cluster_of(process, name)
        part.send_signal(number)
        process.terminate()
        assert process.wait(ENDS_WITHIN_S) == 3
        _, left = psutil.wait_procs(before, timeout=5)
        assert left == []
