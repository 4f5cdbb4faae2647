"""The model is unloaded and loaded again, on a real application that Serve scales."""

import asyncio
from collections.abc import Iterator

import psutil
import pytest
from ray import serve

from app.config import ServeArgs
from deployments.app import assemble
from tests.support.deployments.served_app import (
    LONG_TEXT,
    ServedApp,
    client_of,
    speech_body,
    wait_until_healthy,
)
from tests.support.eventually import eventually

WEIGHTS_MB = 100  # the weights and what torch takes beside them: less than a replica holds
WAIT_S = 240
HEARD_WITHIN_S = 60


@pytest.fixture(scope="module")
def unloadable(served: ServedApp) -> Iterator[str]:
    application = assemble(ServeArgs(model="embedded-turbo"))
    serve.run(
        application, name="unloadable", route_prefix="/unloadable", external_scaler_enabled=True
    )
    wait_until_healthy(f"{served.url}/unloadable")
    yield f"{served.url}/unloadable"
    serve.delete("unloadable")


@pytest.fixture
async def client(unloadable):
    async with client_of(unloadable, WAIT_S) as client:
        yield client


def engines() -> dict[int, float]:
    """The resident memory in MB of each engine's process."""
    titles = ("ray::ServeReplica:unloadable:T3", "ray::ServeReplica:unloadable:Vocoder")
    return {
        process.pid: process.info["memory_info"].rss / 2**20
        for process in psutil.process_iter(["cmdline", "memory_info"])
        if " ".join(process.info["cmdline"] or ()).startswith(titles)
    }


async def test_an_unloaded_model_frees_its_memory_until_it_is_loaded(client):
    turbo = speech_body("Hello there.", model="embedded-turbo")
    spoken = (await client.post("/v1/audio/speech", json=turbo)).content
    before = engines()
    assert len(before) == 2
    assert min(before.values()) > WEIGHTS_MB

    long = speech_body(LONG_TEXT, model="embedded-turbo", stream=False)
    speaking = asyncio.ensure_future(client.post("/v1/audio/speech", json=long))

    async def num_live() -> int:
        stages: dict[str, dict[str, int]] = (await client.get("/health")).json()["stages"]
        return stages["vocoder"]["live"]

    await eventually(num_live, HEARD_WITHIN_S, "the vocoder works on the session")
    unloaded = await client.post("/api/unload_tts")
    assert (unloaded.status_code, unloaded.json()["loaded"]) == (200, False)
    assert speaking.done()  # the unload waited for the end of the session
    assert (await speaking).status_code == 200
    assert not engines()  # both processes have ended

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


async def test_a_model_that_cannot_be_unloaded_still_speaks(served):
    async with client_of(served.url, WAIT_S) as client:
        refused = await client.post("/api/unload_tts")
        assert refused.status_code == 501
        assert "external_scaler_enabled" in refused.json()["error"]["message"]
        assert (
            await client.post("/v1/audio/speech", json=speech_body("Hello."))
        ).status_code == 200
