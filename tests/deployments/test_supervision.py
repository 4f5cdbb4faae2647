"""How `chatterbox-serve serve` notices that its cluster is dead. The parts are processes that only
bear the names of Ray's; tests/deployments/test_server.py kills Ray's own."""

import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Collection, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from app.core import HealthStatus
from deployments import cluster_processes, supervision
from deployments.cluster_watch import CLUSTER_LOST_STATUS, PATIENCE_S, ClusterWatch, Part
from deployments.server import ServerProcess, free_port
from deployments.supervision import Orders, supervise

ROOT = Path(__file__).parents[2]
WITHIN_S = 20
TITLES = {
    Part.RAYLET: "raylet",
    Part.GCS: "gcs_server",
    Part.CONTROLLER: "ray::ServeController.listen_for_change",
    Part.PROXY: "ray::ProxyActor",
}


def told(status: HealthStatus) -> bytes:
    return json.dumps({"status": status}).encode()


class Health(HTTPServer):
    content = told(HealthStatus.OK)


class Answering(BaseHTTPRequestHandler):
    server: Health

    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(self.server.content)

    def log_message(self, *_: object) -> None:
        pass


class Cluster(ServerProcess):
    """A server whose cluster is made of sleeping processes, and whose /health is a thread."""

    drain_command = ("sleep", "600")

    def _start(self, content: object) -> "subprocess.Popen[bytes]":
        self._folder = tempfile.TemporaryDirectory()
        self.drains: list[subprocess.Popen[str]] = []
        self.parts = {part: self.begin(part) for part in TITLES}
        self.health = Health(("127.0.0.1", self.port), Answering)
        threading.Thread(target=self.health.serve_forever, args=(0.01,)).start()
        return subprocess.Popen(["sleep", "600"], env=self.environment())

    def begin(self, part: Part) -> "subprocess.Popen[bytes]":
        binary = Path(self._folder.name) / TITLES[part].partition("::")[0]
        if not binary.exists():
            binary.symlink_to("/bin/sleep")
        return subprocess.Popen(
            [TITLES[part], "600"], executable=binary, env=self.environment(), start_new_session=True
        )

    def kill(self, part: Part) -> None:
        """Leaves a zombie, as Ray's processes do."""
        os.kill(self.parts[part].pid, signal.SIGKILL)

    def mute(self) -> None:
        self.health.shutdown()
        self.health.server_close()

    def start_drain(self) -> "subprocess.Popen[str]":
        self.drains.append(subprocess.Popen(self.drain_command, text=True))
        return self.drains[-1]


class Supervised:
    """A cluster under supervision in a thread. `complete` is set once every part was seen."""

    def __init__(self, cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
        self.cluster, self.orders = cluster, Orders()
        self.ready, self.complete = threading.Event(), threading.Event()
        self.came_back = threading.Event()
        outer = self

        class NotingWatch(ClusterWatch):
            def lost(self, present: Collection[Part], now_s: float) -> Part | None:
                if set(present) == set(Part):
                    if outer.complete.is_set() and outer.missed.is_set():
                        outer.came_back.set()
                    outer.complete.set()
                elif outer.complete.is_set():
                    outer.missed.set()
                return super().lost(present, now_s)

        self.missed = threading.Event()
        monkeypatch.setattr(supervision, "ClusterWatch", NotingWatch)
        self.pool = ThreadPoolExecutor(1)
        self.ends_with: Future[Part | None] = self.pool.submit(
            supervise, cluster, self.orders, self.ready.set, lambda: None
        )


@pytest.fixture
def cluster() -> Iterator[Cluster]:
    cluster = Cluster(ROOT / "serve_config.yaml", free_port())
    yield cluster
    cluster.mute()
    cluster.stop(0)
    for process in (cluster._process, *cluster.parts.values(), *cluster.drains):
        process.wait()


@pytest.fixture
def supervised(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> Iterator[Supervised]:
    monkeypatch.setattr(supervision, "LOOK_EVERY_S", 0.02)
    monkeypatch.setattr(cluster_processes, "SEARCH_EVERY_S", 0.05)
    monkeypatch.setattr(cluster_processes, "ASK_EVERY_S", 0.02)
    monkeypatch.setattr(Cluster, "gcs_silence_s", 0.0)
    for part in PATIENCE_S:
        monkeypatch.setitem(PATIENCE_S, part, 0.5)
    supervised = Supervised(cluster, monkeypatch)
    assert supervised.complete.wait(WITHIN_S)
    yield supervised
    supervised.orders.stop.set()
    supervised.pool.shutdown()


@pytest.mark.parametrize("part", TITLES)
def test_a_killed_part_that_does_not_come_back_is_lost(supervised: Supervised, part: Part):
    assert supervised.ready.is_set()
    supervised.cluster.kill(part)
    assert supervised.ends_with.result(WITHIN_S) is part


@pytest.mark.parametrize("part", [Part.CONTROLLER, Part.PROXY])
def test_a_part_that_serve_starts_again_is_no_reason_to_end(
    supervised: Supervised, monkeypatch: pytest.MonkeyPatch, part: Part
):
    monkeypatch.setitem(PATIENCE_S, part, WITHIN_S)
    supervised.cluster.kill(part)
    assert supervised.missed.wait(WITHIN_S)
    supervised.cluster.parts[part].wait()
    supervised.cluster.parts[part] = supervised.cluster.begin(part)
    assert supervised.came_back.wait(WITHIN_S)
    assert not supervised.ends_with.done()


def test_the_end_of_serve_run_is_noticed(supervised: Supervised):
    supervised.cluster._process.kill()
    assert supervised.ends_with.result(WITHIN_S) is Part.SERVE_RUN


def test_a_health_route_that_no_longer_answers_is_noticed(supervised: Supervised):
    supervised.cluster.mute()
    assert supervised.ends_with.result(WITHIN_S) is Part.ANSWERS


@pytest.mark.parametrize("after", [told(HealthStatus.CLUSTER_AWAY), b"the proxy's own answer"])
def test_a_gcs_that_runs_and_does_not_answer_is_noticed_by_the_status_of_health(
    supervised: Supervised, after: bytes
):
    supervised.cluster.health.content = told(HealthStatus.CLUSTER_AWAY)
    assert supervised.missed.wait(WITHIN_S)
    supervised.cluster.health.content = after
    assert supervised.ends_with.result(WITHIN_S) is Part.GCS_ANSWERS


def test_a_gcs_that_answers_again_is_no_reason_to_end(
    supervised: Supervised, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setitem(PATIENCE_S, Part.GCS_ANSWERS, WITHIN_S)
    supervised.cluster.health.content = told(HealthStatus.CLUSTER_AWAY)
    assert supervised.missed.wait(WITHIN_S)
    supervised.cluster.health.content = told(HealthStatus.LATE)
    assert supervised.came_back.wait(WITHIN_S)
    assert not supervised.ends_with.done()


def test_a_stop_is_obeyed(supervised: Supervised):
    supervised.orders.stop.set()
    assert supervised.ends_with.result(WITHIN_S) is None


@pytest.mark.parametrize(
    ("status", "lost"), [(0, None), (1, None), (CLUSTER_LOST_STATUS, Part.ANSWERS)]
)
def test_the_server_stops_when_its_drain_has_ended(
    supervised: Supervised, status: int, lost: Part | None
):
    supervised.cluster.drain_command = ("sh", "-c", f"exit {status}")
    supervised.orders.drain.set()
    assert supervised.ends_with.result(WITHIN_S) is lost


@pytest.mark.parametrize("event", ["a stop", "a dead raylet"])
def test_a_drain_is_not_waited_for_after(supervised: Supervised, event: str):
    supervised.orders.drain.set()
    if event == "a stop":
        supervised.orders.stop.set()
        assert supervised.ends_with.result(WITHIN_S) is None
    else:
        supervised.cluster.kill(Part.RAYLET)
        assert supervised.ends_with.result(WITHIN_S) is Part.RAYLET
    for drain in supervised.cluster.drains:
        assert drain.wait(WITHIN_S) == -signal.SIGKILL


def test_a_drain_that_gets_no_answer_ends_its_process():
    code = (
        "import time; from deployments import drain; drain.ANSWER_WITHIN_S = 0.05\n"
        "with drain.answered(): time.sleep(600)"
    )
    ended = subprocess.run([sys.executable, "-c", code], cwd=ROOT, timeout=WITHIN_S, check=False)
    assert ended.returncode == CLUSTER_LOST_STATUS


def test_a_drain_that_is_answered_goes_on():
    code = (
        "import time; from deployments import drain; drain.ANSWER_WITHIN_S = 0.05\n"
        "with drain.answered(): pass\n"
        "time.sleep(0.2)"
    )
    ended = subprocess.run([sys.executable, "-c", code], cwd=ROOT, timeout=WITHIN_S, check=False)
    assert ended.returncode == 0
