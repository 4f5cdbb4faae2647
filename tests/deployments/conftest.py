"""One local Ray cluster, and one served application on the embedded model, for this folder."""

import asyncio
import os
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
import ray
import soundfile
from ray import serve

from app.config import ServeArgs
from app.core import SAMPLE_RATE
from deployments.app import assemble
from deployments.server import free_port
from tests.support.audio_samples import spoken_vowels
from tests.support.deployments.serving import held_t3

READY_WITHIN_S = 240  # 25 s when calm


@dataclass(frozen=True)
class Served:
    url: str
    gate: Path  # holds T3 in sessions whose id begins with "hold"; see serving.py
    t3: Any  # handle
    vocoder: Any
    voices: Path  # with a recording that the application serves


@pytest.fixture(scope="package")
def metrics_port() -> int:
    return free_port()


@pytest.fixture(scope="package")
def cluster(metrics_port: int) -> Iterator[None]:
    os.environ["PYTHONPATH"] = str(Path(__file__).parents[2])  # applications are imported by name
    os.environ["RAY_SERVE_REPLICA_AUTOSCALING_METRIC_PUSH_INTERVAL_S"] = "1"
    ray.init(
        address="local",  # whatever cluster died before
        num_cpus=8,  # logical: replicas take fractions
        resources={"edge": 1},  # where no test takes the node away
        include_dashboard=False,
        object_store_memory=200 * 1024 * 1024,
        log_to_driver=False,
        configure_logging=False,
        _metrics_export_port=metrics_port,
    )
    yield
    serve.shutdown()
    ray.shutdown()


@pytest.fixture(scope="package")
def served(cluster: None, tmp_path_factory: pytest.TempPathFactory) -> Served:
    folder = tmp_path_factory.mktemp("served")
    voices = folder / "voices"
    voices.mkdir()
    record(voices, seed=7)
    port = free_port()
    serve.start(proxy_location="HeadOnly", http_options={"host": "127.0.0.1", "port": port})
    args = ServeArgs(model="embedded-babble", voices=str(voices))
    gate = folder / "gate"
    serve.run(assemble(args, t3_class=held_t3(gate)), name="served")
    url = f"http://127.0.0.1:{port}"
    wait_until_healthy(url)
    return Served(
        url,
        gate,
        serve.get_deployment_handle("T3", app_name="served"),
        serve.get_deployment_handle("Vocoder", app_name="served"),
        voices,
    )


def record(voices: Path, seed: int) -> None:
    soundfile.write(voices / "recorded.wav", spoken_vowels(seed, seconds=3.0), SAMPLE_RATE)


@pytest.fixture(scope="package")
def app(served: Served, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A second application, to be damaged."""
    from tests.support.deployments.battered import battered

    with battered(served.url, tmp_path_factory.mktemp("battered")) as app:
        yield app


def wait_until_healthy(url: str) -> None:
    give_up_at = time.monotonic() + READY_WITHIN_S
    with httpx.Client() as client:
        while time.monotonic() < give_up_at:
            with suppress(httpx.TransportError):  # nothing listens yet
                if client.get(f"{url}/health").status_code == httpx.codes.OK:
                    return
            time.sleep(0.25)
    raise AssertionError("the application did not become healthy")


async def until_idle(client: httpx.AsyncClient, within_s: float = 30) -> dict[str, Any]:
    """The first health report in which every slot is free again."""
    give_up_at = time.monotonic() + within_s
    while True:
        health = (await client.get("/health")).json()
        if all(
            stage["live"] == stage["waiting"] == 0 and stage["slots_free"] == stage["slots_total"]
            for stage in health["stages"].values()
        ):
            return dict(health)
        assert time.monotonic() < give_up_at, health
        await asyncio.sleep(0.05)
