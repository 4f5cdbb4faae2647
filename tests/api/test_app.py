"""The routes besides speech, and the shape of every error."""

import asyncio
from dataclasses import replace

import pytest

from app.api import list_routes
from app.api.realtime.parts import RealtimeParts
from app.config import Limits
from app.core import Cost, Health, HealthStatus, StageStats
from app.errors import Unavailable
from app.voices.catalogue import OPENAI_VOICES
from tests.support.api_clients import in_process, speech
from tests.support.fakes import MULTILINGUAL, FakeSynthesizer
from tests.support.scripted_hearing import ScriptedHearing, ScriptedModel


async def get(path, synthesizer=None, method="GET", **options):
    async with in_process(synthesizer or FakeSynthesizer(), **options) as client:
        return await client.request(method, path)


async def test_the_root_names_the_server():
    assert (await get("/")).json() == {"name": "chatterbox-serve", "speech": "/v1/audio/speech"}


async def test_models_are_listed_as_openai_lists_them():
    body = (await get("/v1/models", FakeSynthesizer(MULTILINGUAL))).json()
    (model,) = body["data"]
    assert body["object"] == "list"
    assert (model["id"], model["object"], model["family"]) == (
        "multilingual",
        "model",
        "multilingual",
    )
    assert model["languages"] == ["de", "en", "fr"]
    assert isinstance(model["created"], int)


async def test_a_model_is_retrieved_by_its_name():
    assert (await get("/v1/models/english")).json()["id"] == "english"
    missing = await get("/v1/models/some/where")
    assert missing.status_code == 404
    assert missing.json()["error"]["code"] == "model_not_found"
    assert missing.json()["error"]["param"] == "model"


async def test_voices_are_listed():
    voices = (await get("/v1/audio/voices")).json()["voices"]
    assert (voices[0]["id"], voices[0]["name"]) == ("default", "default")
    assert {alias for voice in voices for alias in voice["aliases"]} == set(OPENAI_VOICES)
    assert [voice["id"] for voice in voices] == ["default", "anna", "søren"]


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (HealthStatus.OK, 200),
        (HealthStatus.LATE, 200),
        (HealthStatus.STARTING, 503),
        (HealthStatus.FAILED, 503),
    ],
)
async def test_health_is_200_while_the_server_speaks(status, code):
    synthesizer = FakeSynthesizer()
    stages = {"t3": StageStats(1, 2, 3, 4, late_s=0.5, cost=Cost(0.01, 0.002), bears=3.5)}
    synthesizer.health_now = Health(status, stages, 0.5, capacity=2, realtime=True)
    response = await get("/health", synthesizer)
    assert response.status_code == code
    told = response.json()
    stage = {"live": 1, "waiting": 2, "slots_free": 3, "slots_total": 4, "late_s": 0.5}
    stage |= {"cost": {"base_s": 0.01, "each_s": 0.002}, "bears": 3.5}
    assert told["stages"]["t3"] | stage == told["stages"]["t3"]
    assert (told["status"], told["late_s"]) == (status, 0.5)
    assert (told["capacity"], told["realtime"]) == (2, True)


@pytest.mark.parametrize("realtime", [True, False, None])
async def test_a_model_says_whether_this_machine_speaks_it_in_real_time(realtime):
    synthesizer = FakeSynthesizer()
    synthesizer.health_now = replace(synthesizer.health_now, realtime=realtime)
    assert (await get("/v1/models/english", synthesizer)).json()["realtime"] is realtime
    (listed,) = (await get("/v1/models", synthesizer)).json()["data"]
    assert listed["realtime"] is realtime


@pytest.mark.parametrize("hears", [True, False])
async def test_a_model_says_whether_the_server_hears(hears):
    parts = RealtimeParts(ScriptedHearing(), ScriptedModel("Hello.")) if hears else None
    (listed,) = (await get("/v1/models", realtime=parts)).json()["data"]
    assert listed["hears"] is hears


async def test_many_lists_of_models_ask_for_the_speed_once(monkeypatch):
    class Counting(FakeSynthesizer):
        num_asked = 0

        async def health(self):
            self.num_asked += 1
            return await super().health()

    monkeypatch.setattr(list_routes, "ASK_EVERY_S", 1000.0)
    synthesizer = Counting()
    async with in_process(synthesizer) as client:
        for _ in range(10):
            await client.get("/v1/models")
    assert synthesizer.num_asked == 1


async def test_models_are_listed_though_nobody_tells_the_speed(monkeypatch):
    class Away(FakeSynthesizer):
        async def health(self):
            raise Unavailable("The cancel registry does not answer.")

    class Hangs(FakeSynthesizer):
        async def health(self):
            await asyncio.Event().wait()

    monkeypatch.setattr(list_routes, "HEALTH_WITHIN_S", 0.01)
    for synthesizer in (Away(), Hangs()):
        answer = await get("/v1/models/english", synthesizer)
        assert (answer.status_code, answer.json()["realtime"]) == (200, None)


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/nowhere", 404, "not_found"),
        ("GET", "/v1/audio/voices/a/b", 404, "not_found"),
        ("GET", "/docs", 404, "not_found"),
        ("GET", "/v1/audio/speech", 405, "method_not_allowed"),
        ("PUT", "/health", 405, "method_not_allowed"),
    ],
)
async def test_an_unknown_route_answers_with_an_error_object(method, path, status, code):
    response = await get(path, method=method)
    assert response.status_code == status
    assert response.json()["error"]["code"] == code
    assert response.headers["x-request-id"]


async def test_every_request_gets_a_new_id():
    ids = {(await get("/")).headers["x-request-id"] for _ in range(3)}
    assert len(ids) == 3
    assert all(len(request_id) == 32 for request_id in ids)


async def test_the_request_id_can_be_left_to_the_proxy():
    response = await get("/", returns_request_id=False)
    assert "x-request-id" not in response.headers


@pytest.mark.parametrize(
    ("method", "path"), [("POST", "/cancel/"), ("DELETE", "/v1/audio/speech/")]
)
async def test_cancelling_a_finished_session_says_already_done(method, path):
    synthesizer = FakeSynthesizer()
    async with in_process(synthesizer, Limits()) as client:
        await client.post("/v1/audio/speech", json=speech(), headers={"X-Request-ID": "s"})
        response = await client.request(method, path + "s")
    assert response.status_code == 200
    assert response.json() == {
        "session_id": "s",
        "state": "already_done",
        "audio_sent_ms": 600.0,
        "tokens_generated": 15,
        "tokens_discarded": 0,
        "stop_ms": 0.0,
        "heard": None,
    }


@pytest.mark.parametrize(
    ("method", "path"), [("POST", "/cancel/"), ("DELETE", "/v1/audio/speech/")]
)
async def test_cancelling_an_unknown_session_is_a_404_with_its_state(method, path):
    response = await get(path + "nobody", method=method)
    body = response.json()
    assert response.status_code == 404
    assert (body["session_id"], body["state"], body["tokens_generated"]) == ("nobody", "unknown", 0)
    assert body["error"]["code"] == "session_not_found"
    assert body["error"]["param"] == "session_id"


async def test_an_invalid_session_id_is_refused():
    response = await get("/cancel/a%20b", method="POST")
    assert response.status_code == 400
    assert response.json()["error"]["param"] == "session_id"


async def test_the_openapi_document_describes_the_speech_body():
    paths = (await get("/openapi.json")).json()["paths"]
    schema = paths["/v1/audio/speech"]["post"]["requestBody"]["content"]["application/json"]
    assert schema["schema"]["additionalProperties"] is False
    assert {"/", "/health", "/v1/models", "/v1/audio/speech", "/v1/audio/voices"} <= set(paths)


async def test_a_session_report_has_marks_and_legs():
    async with in_process(FakeSynthesizer()) as client:
        headers = {"X-Request-ID": "told"}
        await client.post("/v1/audio/speech", json=speech(), headers=headers)
        told = (await client.get("/v1/sessions/told")).json()
    assert (told["session_id"], told["finish"]) == ("told", "stop")
    assert list(told["marks"]) == ["received", "claimed", "first_byte"]
    assert told["legs_ms"] == {"claim": 2.0, "first_audio": 250.0}


async def test_an_unknown_session_report_is_a_404():
    response = await get("/v1/sessions/nobody")
    assert response.status_code == 404
    assert response.json()["error"]["code"] == "session_not_found"
