"""The model's folder is moved while the model is served: running replicas go on, and a new replica
says why it cannot start."""

import shutil
import uuid
from pathlib import Path

import httpx
import psutil
import pytest
from ray import serve

from app.core import HealthStatus
from app.engine.checkpoint.find_model import EMBEDDED_FOLDER
from tests.support.deployments.expendable_app import (
    ARGS,
    ExpendableApp,
    deploy,
    spoken,
    until_it_speaks,
)
from tests.support.deployments.served_app import client_of, speech_body, wait_until_healthy
from tests.support.eventually import eventually

FAILS_WITHIN_S = 120  # a replica's imports take most of it


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return Path(shutil.copytree(EMBEDDED_FOLDER / "embedded-babble", tmp_path / "model"))


@pytest.fixture
def app(served, tmp_path: Path, model: Path):
    name = f"gone-{uuid.uuid4().hex[:8]}"
    app = ExpendableApp(f"{served.url}/{name}", name, tmp_path / "notes")
    deploy(app, ARGS.model_copy(update={"model": str(model), "ingress_replicas": 1}))
    wait_until_healthy(app.url)
    yield app
    serve.delete(name)


async def message_of_t3(app: ExpendableApp) -> str:
    """Serve's message once a replica of T3 could not start."""

    def message() -> str | None:
        told: str = serve.status().applications[app.name].deployments["T3"].message
        return told if "CheckpointError" in told else None

    return await eventually(message, FAILS_WITHIN_S, "Serve says why T3 does not start")


@pytest.mark.long
async def test_a_replica_that_finds_no_model_says_so_while_others_go_on(app, model):
    async with client_of(app.url) as client:
        kept = model.rename(model.with_name("elsewhere"))
        for voice in ("ada", "bela", "cleo"):
            assert await spoken(client, speech_body("Hello there.", voice=voice)) == httpx.codes.OK
        assert (await client.get("health")).json()["status"] == HealthStatus.OK
        (process,) = app.replicas("T3")
        psutil.Process(process.pid).kill()
        assert f"{model} is not a folder" in await message_of_t3(app)
        health = await client.get("health")
        assert health.status_code == httpx.codes.SERVICE_UNAVAILABLE
        assert health.json()["status"] == HealthStatus.STARTING
        kept.rename(model)
        await until_it_speaks(client, speech_body("Hello there."))
