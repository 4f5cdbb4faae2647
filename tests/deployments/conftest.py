"""One local Ray cluster, and one served application on the embedded model, for this folder."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import ray
from ray import serve

from app.config import Limits, ServeArgs
from deployments.app import assemble
from deployments.server import READER_WATCH, free_port
from tests.support.deployments.controlled_stages import held_t3
from tests.support.deployments.expendable_app import ExpendableApp, expendable_app
from tests.support.deployments.keyed_app import keyed_app
from tests.support.deployments.served_app import ServedApp, record_voice, wait_until_healthy


@pytest.fixture(scope="package")
def metrics_port() -> int:
    return free_port()


@pytest.fixture(scope="package")
def http_port() -> int:
    return free_port()


@pytest.fixture(scope="package")
def cluster(metrics_port: int, http_port: int) -> Iterator[None]:
    os.environ["PYTHONPATH"] = str(Path(__file__).parents[2])  # applications are imported by name
    os.environ["RAY_SERVE_REPLICA_AUTOSCALING_METRIC_PUSH_INTERVAL_S"] = "1"
    os.environ.update({"RAY_worker_niceness": "0"} | READER_WATCH)  # as `chatterbox-serve serve`
    ray.init(
        address="local",  # never the cluster of an earlier run
        num_cpus=8,  # logical: replicas take fractions
        resources={"edge": 1},  # for deployments that stay on this node, which no test kills
        include_dashboard=False,
        object_store_memory=200 * 1024 * 1024,
        log_to_driver=False,
        configure_logging=False,
        _metrics_export_port=metrics_port,
    )
    # Before any test deploys: the first start of Serve decides the port.
    serve.start(proxy_location="HeadOnly", http_options={"host": "127.0.0.1", "port": http_port})
    yield
    serve.shutdown()
    ray.shutdown()


@pytest.fixture(scope="package")
def served(cluster: None, http_port: int, tmp_path_factory: pytest.TempPathFactory) -> ServedApp:
    folder = tmp_path_factory.mktemp("served")
    voices = folder / "voices"
    voices.mkdir()
    record_voice(voices, seed=7)
    limits = Limits(admit="all")  # tests speak side by side, on any machine
    args = ServeArgs(model="embedded-babble", voices=str(voices), limits=limits)
    gate = folder / "gate"
    serve.run(assemble(args, t3_class=held_t3(gate)), name="served")
    url = f"http://127.0.0.1:{http_port}"
    wait_until_healthy(url)
    return ServedApp(
        url,
        gate,
        serve.get_deployment_handle("T3", app_name="served"),
        serve.get_deployment_handle("Vocoder", app_name="served"),
        voices,
    )


@pytest.fixture(scope="package")
def keyed(served: ServedApp, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of an application with keys and two ingresses."""
    with keyed_app(served.url, tmp_path_factory.mktemp("uploads")) as url:
        yield url


@pytest.fixture(scope="package")
def app(served: ServedApp, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ExpendableApp]:
    """A second application, to be damaged."""
    with expendable_app(served.url, tmp_path_factory.mktemp("expendable")) as app:
        yield app
