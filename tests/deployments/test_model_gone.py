"""The model's folder goes away while it is served: what runs goes on, what starts says why not."""

import asyncio
import shutil
import time
import uuid
from pathlib import Path

import httpx
import psutil
import pytest
from ray import serve

from app.core import HealthStatus
from app.engine.checkpoint.source import EMBEDDED_FOLDER
from tests.deployments.conftest import wait_until_healthy
from tests.support.deployments.battered import ARGS, Battered, deploy, spoken, until_it_speaks

FAILS_WITHIN_S = 120  # a replica's imports take most of it


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return Path(shutil.copytree(EMBEDDED_FOLDER / "embedded-babble", tmp_path / "model"))


@pytest.fixture
def app(served, tmp_path: Path, model: Path):
    name = f"gone-{uuid.uuid4().hex[:8]}"
    app = Battered(f"{served.url}/{name}", name, tmp_path / "notes")
    deploy(app, ARGS.model_copy(update={"model": str(model), "ingress_replicas": 1}))
    wait_until_healthy(app.url)
    yield app
    serve.delete(name)


async def told_of(app: Battered) -> str:
    """What Serve says of T3 once a replica of it could not start."""
    give_up_at = time.monotonic() + FAILS_WITHIN_S
    while time.monotonic() < give_up_at:
        status = serve.status().applications[app.name].deployments["T3"]
        if "CheckpointError" in status.message:
            return status.message
        await asyncio.sleep(0.2)
    raise AssertionError("Serve does not say why T3 does not start")


@pytest.mark.long
async def test_what_runs_goes_on_and_a_new_replica_says_what_it_misses(app, model):
    async with httpx.AsyncClient(base_url=app.url, timeout=120) as client:
        voices = {"model": "embedded-babble", "input": "Hello there.", "response_format": "pcm"}
        kept = model.rename(model.with_name("elsewhere"))
        for voice in ("ada", "bela", "cleo"):
            assert await spoken(client, voices | {"voice": voice}) == httpx.codes.OK
        assert (await client.get("health")).json()["status"] == HealthStatus.OK
        (process,) = app.replicas("T3")
        psutil.Process(process.pid).kill()
        assert f"{model} is not a folder" in await told_of(app)
        health = await client.get("health")
        assert health.status_code == httpx.codes.SERVICE_UNAVAILABLE
        assert health.json()["status"] == HealthStatus.STARTING
        kept.rename(model)
        await until_it_speaks(client, voices | {"voice": "ada"})
