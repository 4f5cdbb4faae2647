"""The model is unloaded and loaded again, on a real application that Serve scales. The model is of
the family `english`, as in the shipped config, and two ingresses answer."""

import asyncio

import psutil
import pytest

from app.config import ServeArgs
from app.core import Health, HealthStatus, StageStats
from app.sessions.model_state import ENGINES
from deployments import model_loading
from deployments.model_loading import StageLoader
from tests.support.api_keys import bearer_of
from tests.support.deployments.keyed_app import MODEL, NAME
from tests.support.deployments.served_app import LONG_TEXT, client_of, speech_body
from tests.support.eventually import eventually

WEIGHTS_MB = 100  # the weights and what torch takes beside them: less than a replica holds
WAIT_S = 240
HEARD_WITHIN_S = 60


@pytest.fixture
async def client(keyed):
    async with client_of(keyed, WAIT_S) as client:
        client.headers.update(bearer_of("stop-all"))
        yield client


def engines() -> dict[int, float]:
    """The resident memory in MB of each engine's process."""
    titles = tuple(f"ray::ServeReplica:{NAME}:{stage}" for stage in ("T3", "Vocoder"))
    return {
        process.pid: process.info["memory_info"].rss / 2**20
        for process in psutil.process_iter(["cmdline", "memory_info"])
        if " ".join(process.info["cmdline"] or ()).startswith(titles)
    }


async def test_an_unloaded_model_frees_its_memory_until_it_is_loaded(client):
    hello = speech_body("Hello there.")
    spoken = (await client.post("/v1/audio/speech", json=hello)).content
    before = engines()
    assert len(before) == 2
    assert min(before.values()) > WEIGHTS_MB

    long = speech_body(LONG_TEXT, stream=False)
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

    assert (await client.get("/health")).json()["status"] == "unloaded"
    assert (await client.post("/api/tts_unload")).status_code == 200  # it is already

    other = await client.post("/api/tts_load_turbo")
    assert other.status_code == 501
    assert "/api/tts_load " in other.json()["error"]["message"]
    asking = (client.post("/v1/audio/speech", json=hello) for _ in range(4))
    answers = await asyncio.gather(*asking)  # over both ingresses: requests load the model
    assert {(answer.status_code, len(answer.content)) for answer in answers} == {(200, len(spoken))}
    assert (await client.get("/health")).json()["status"] == "ok"
    assert len(engines()) == 2


@pytest.mark.long
async def test_a_route_loads_an_unloaded_model(client):
    assert (await client.post(f"/v1/models/{MODEL}/unload")).status_code == 200
    assert not engines()
    loaded = await client.post("/api/tts_load")
    assert (loaded.status_code, loaded.json()["loaded"]) == (200, True)
    assert (await client.get("/health")).json()["status"] == "ok"
    assert len(engines()) == 2


async def test_a_model_that_cannot_be_unloaded_still_speaks(served):
    async with client_of(served.url, WAIT_S) as client:
        refused = await client.post("/api/unload_tts")
        assert refused.status_code == 501
        assert "external_scaler_enabled" in refused.json()["error"]["message"]
        assert (
            await client.post("/v1/audio/speech", json=speech_body("Hello."))
        ).status_code == 200


class Registry:
    """Of an application without Ray. `running`: the stages that tell heartbeats. `can_scale`: Serve
    starts and ends replicas."""

    def __init__(self) -> None:
        self.running = ENGINES
        self.is_loaded = False
        self.num_loads = 0
        self.can_scale = asyncio.Event()
        self.can_scale.set()

    async def health(self) -> Health:
        status = HealthStatus.OK if self.is_loaded else HealthStatus.UNLOADED
        return Health(status, {stage: StageStats() for stage in self.running})

    async def set_loaded(self, loaded: bool) -> int:
        self.is_loaded = loaded
        self.num_loads += loaded
        return 0


@pytest.fixture
def registry(monkeypatch):
    registry = Registry()

    async def possible():
        return True

    async def scale(replicas):
        await registry.can_scale.wait()
        registry.running = ENGINES if any(replicas.values()) else frozenset()

    monkeypatch.setattr(model_loading, "_is_possible", possible)
    monkeypatch.setattr(model_loading, "_scale", scale)
    monkeypatch.setattr(model_loading, "LOOK_AGAIN_S", 0.01)
    return registry


async def test_a_session_that_wants_the_model_does_not_undo_an_unload(registry):
    loader = StageLoader(registry, ServeArgs())
    loading = asyncio.ensure_future(loader.load_on_demand())
    await asyncio.sleep(0.1)
    assert not registry.is_loaded  # its engines run for the last sessions
    registry.running = frozenset()
    await loading
    assert (registry.is_loaded, registry.running) == (True, ENGINES)


async def test_sessions_that_want_the_model_share_one_load(registry):
    registry.running = frozenset()
    loader = StageLoader(registry, ServeArgs())
    await asyncio.gather(*(loader.load_on_demand() for _ in range(20)))
    assert registry.num_loads == 1


async def test_a_load_goes_on_without_the_session_that_wanted_it(registry):
    registry.running = frozenset()
    registry.can_scale.clear()
    loader = StageLoader(registry, ServeArgs())
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.02):
            await loader.load_on_demand()
    registry.can_scale.set()
    await eventually(lambda: registry.is_loaded, 10, "the model is loaded")
    assert registry.num_loads == 1
