"""The model out of memory and back, on a real application that Serve scales."""

import asyncio
from collections.abc import Iterator

import httpx
import psutil
import pytest
from ray import serve

from app.config import ServeArgs
from deployments.app import assemble
from tests.deployments.conftest import Served, wait_until_healthy
from tests.deployments.test_serving import LONG, body

WEIGHTS_MB = 100  # of weights, and what torch takes beside them: less than a replica holds
WAIT_S = 240


@pytest.fixture(scope="module")
def switched(served: Served) -> Iterator[str]:
    application = assemble(ServeArgs(model="embedded-turbo"))
    serve.run(application, name="switched", route_prefix="/switched", external_scaler_enabled=True)
    wait_until_healthy(f"{served.url}/switched")
    yield f"{served.url}/switched"
    serve.delete("switched")


@pytest.fixture
async def client(switched):
    async with httpx.AsyncClient(base_url=switched, timeout=WAIT_S) as client:
        yield client


def engines() -> dict[int, float]:
    """The resident memory in MB of each engine's process."""
    titles = ("ray::ServeReplica:switched:T3", "ray::ServeReplica:switched:Vocoder")
    return {
        process.pid: process.info["memory_info"].rss / 2**20
        for process in psutil.process_iter(["cmdline", "memory_info"])
        if " ".join(process.info["cmdline"] or ()).startswith(titles)
    }


async def test_an_unloaded_model_frees_its_memory_refuses_at_once_and_comes_back(client):
    turbo = body("Hello there.", model="embedded-turbo")
    spoken = (await client.post("/v1/audio/speech", json=turbo)).content
    before = engines()
    assert len(before) == 2
    assert min(before.values()) > WEIGHTS_MB

    long = body(LONG, model="embedded-turbo", stream=False)
    speaking = asyncio.ensure_future(client.post("/v1/audio/speech", json=long))
    while (await client.get("/health")).json()["stages"]["vocoder"]["live"] == 0:
        await asyncio.sleep(0.02)
    unloaded = await client.post("/api/unload_tts")
    assert (unloaded.status_code, unloaded.json()["loaded"]) == (200, False)
    assert speaking.done()  # who spoke was heard to the end
    assert (await speaking).status_code == 200
    assert not engines()  # both processes have ended, and whatever they held

    refused = await client.post("/v1/audio/speech", json=turbo)
    assert (refused.status_code, refused.json()["error"]["code"]) == (503, "model_unloaded")
    assert refused.headers["retry-after"]
    assert (await client.get("/health")).json()["status"] == "unloaded"
    assert (await client.post("/api/tts_unload")).status_code == 200  # it is already

    loaded = await client.post("/api/tts_load_turbo")
    assert (loaded.status_code, loaded.json()["loaded"]) == (200, True)
    assert (await client.get("/health")).json()["status"] == "ok"
    again = await client.post("/v1/audio/speech", json=turbo)
    assert len(again.content) == len(spoken)
    assert len(engines()) == 2


async def test_where_the_config_does_not_let_it_the_model_stays_and_speaks(served):
    async with httpx.AsyncClient(base_url=served.url, timeout=WAIT_S) as client:
        refused = await client.post("/api/unload_tts")
        assert refused.status_code == 501
        assert "external_scaler_enabled" in refused.json()["error"]["message"]
        assert (await client.post("/v1/audio/speech", json=body("Hello."))).status_code == 200
