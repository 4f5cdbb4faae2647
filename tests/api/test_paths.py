"""Paths and methods as base URLs, monitors and probes make them."""

import time

import httpx
import pytest
import websockets

from app.api.paths import NormalisedPaths, normalise_path
from app.api.realtime.parts import RealtimeParts
from tests.support.api_clients import in_process, serving, speech
from tests.support.api_keys import bearer_of, key
from tests.support.fakes import FakeSynthesizer
from tests.support.routes import routes
from tests.support.scripted_hearing import ScriptedHearing, ScriptedModel
from tests.support.speech_sockets import Client

KEYS = (key("red-key", "red", "red", ("speak",)), key("mute-key", "mute", "red", ("voices",)))


@pytest.fixture
async def client(synthesizer):
    async with in_process(synthesizer) as client:
        yield client


@pytest.fixture
async def hearing_client(synthesizer):
    """Of a server that serves every socket there is."""
    parts = RealtimeParts(ScriptedHearing(), ScriptedModel("Hello."))
    async with in_process(synthesizer, realtime=parts) as client:
        yield client


def misspelled(path):
    """Every way in which a base URL and a path are joined wrongly."""
    yield f"{path}/"
    yield f"/{path}"
    yield path.replace("/", "//")
    if path.startswith("/v1/"):
        yield f"/v1{path}"
        yield f"/v1/v1{path}/"
        yield path.removeprefix("/v1")
        yield f"/{path.removeprefix('/v1/')}//"


def of_admins(path):
    return "/admin/" in path or "load" in path.rpartition("/")[2]


@pytest.mark.parametrize("path", sorted({path for _, path in routes()}))
def test_each_misspelled_path_means_the_one_path(path):
    path = path.replace(":path}", "}").replace("{", "").replace("}", "")
    assert normalise_path(path) == path
    found = {normalise_path(each) for each in misspelled(path)}
    assert found == (set(misspelled(path)) if of_admins(path) else {path})


@pytest.mark.parametrize("path", ["/", "", "/v1", "/v1x/audio", "/audiobooks", "/v1/audio/../x"])
def test_a_path_that_nothing_was_joined_to_stays(path):
    assert normalise_path(path) == path


def test_a_long_path_costs_no_time():
    begun_s = time.monotonic()
    assert normalise_path("/v1" * 20_000 + "/models") == "/v1/models"
    assert len(normalise_path("/" * 60_000)) == 1
    assert time.monotonic() - begun_s < 0.5


@pytest.mark.parametrize("path", list(misspelled("/v1/audio/speech")))
async def test_a_text_is_spoken_whatever_the_base_url(client, path):
    response = await client.post(f"http://127.0.0.1{path}", json=speech())
    assert response.status_code == 200, response.text
    assert not response.history


@pytest.mark.parametrize(
    "path", ["/v1/audio/speech/stream/", "/audio/speech/stream", "/v1/v1/audio/speech/stream"]
)
async def test_a_socket_opens_whatever_the_base_url(synthesizer, path):
    with serving(synthesizer) as url:
        async with websockets.connect(url.replace("http", "ws") + path) as socket:
            client = Client(socket)
            await client.start("a")
            assert (await client.next())["type"] == "started"


@pytest.mark.parametrize("path", list(misspelled("/v1/audio/speech")))
async def test_a_misspelled_path_asks_for_a_key_and_a_role_all_the_same(path):
    async with in_process(FakeSynthesizer(), keys=KEYS) as client:
        url = f"http://127.0.0.1{path}"
        assert (await client.post(url, json=speech())).status_code == 401
        mute = await client.post(url, json=speech(), headers=bearer_of("mute-key"))
        assert mute.json()["error"]["code"] == "role_missing"


@pytest.mark.parametrize("path", ["/v1/admin/stop", "/v1/models/english/unload", "/api/unload_tts"])
async def test_a_route_of_admins_is_served_at_its_own_path_alone(client, path):
    assert (await client.post(path)).status_code in (200, 501)
    for misjoined in misspelled(path):
        refused = await client.post(f"http://127.0.0.1{misjoined}")
        assert refused.status_code in (404, 405)  # GET /v1/models/{name} takes any name
        if refused.status_code == 404:
            assert f" {path}. GET /openapi.json" in refused.json()["error"]["message"]


@pytest.mark.parametrize(("method", "path"), [each for each in routes() if "{" not in each[1]])
async def test_no_path_is_served_with_a_control_character(client, method, path):
    """The pattern of a route ends before a line end, too."""
    for control in ("%0A", "%00", "%7F", "%0D%0A"):
        refused = await client.request(method, path + control)
        assert (refused.status_code, refused.json()["error"]["param"]) == (400, "path")


@pytest.mark.parametrize("root_path", ["", "/english"])
async def test_the_prefix_of_an_application_stays(root_path):
    scope = {"type": "http", "path": f"{root_path}//audio/speech/", "root_path": root_path}
    seen = []

    async def app(scope, receive, send):
        seen.append(scope["path"])

    await NormalisedPaths(app)(scope, None, None)
    assert seen == [f"{root_path}/v1/audio/speech"]


async def test_a_probe_with_a_slash_needs_no_key():
    async with in_process(FakeSynthesizer(), keys=KEYS) as client:
        assert (await client.get("/health/")).status_code == 200


@pytest.mark.parametrize(
    ("method", "path", "named"),
    [
        ("POST", "/v1/audio/speach", "POST /v1/audio/speech"),
        ("POST", "/api/v1/audio/speech", "POST /v1/audio/speech"),
        ("POST", "/openai/audio/speech", "POST /v1/audio/speech"),
        ("GET", "/v1/health", "GET, HEAD /health"),
        ("POST", "/v1/cancel/abc", "POST /cancel/abc"),
        ("POST", "/tts", "POST /tts/sse"),
        ("POST", "/api/text-to-speech/anna", "POST /v1/text-to-speech/anna"),
        ("GET", "/" + "x" * 5000, "POST /v1/audio/speech"),
    ],
)
async def test_an_unknown_path_is_told_the_nearest_one(client, method, path, named):
    response = await client.request(method, path)
    error = response.json()["error"]
    assert (response.status_code, error["code"]) == (404, "not_found")
    assert f"the nearest is {named}" in error["message"]
    assert len(error["message"]) < 400


async def test_an_unknown_method_is_told_all_that_are_served(client):
    response = await client.put("/v1/audio/voices/anna")
    assert response.status_code == 405
    assert response.headers["allow"] == "DELETE, GET, HEAD, PATCH"
    assert "PUT is not served" in response.json()["error"]["message"]


async def test_the_document_of_the_routes_says_its_methods_too(client):
    response = await client.post("/openapi.json")
    assert (response.status_code, response.headers["allow"]) == (405, "GET, HEAD")


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/v1/audio/speech/stream"),
        ("GET", "/v1/audio/speech/stream"),
        ("PUT", "/v1/audio/speech/stream"),
        ("HEAD", "/v1/audio/speech/stream"),
        ("GET", "/v1/realtime"),
        ("GET", "/tts/websocket"),
        ("GET", "/v1/text-to-speech/default/multi-stream-input"),
        ("GET", "/v1/speak"),
        ("GET", "/jambonz/synthesize"),
    ],
)
async def test_a_path_of_a_socket_says_that_it_speaks_websocket(hearing_client, method, path):
    response = await hearing_client.request(method, path)
    assert response.status_code == 426
    assert response.headers["upgrade"] == "websocket"
    assert "Upgrade" in response.headers.get_list("connection")  # as RFC 9110 asks for, 7.8
    if method != "HEAD":
        error = response.json()["error"]
        assert error["code"] == "upgrade_required"
        assert "speaks WebSocket; POST /v1/audio/speech takes" in error["message"]


async def test_another_method_of_a_path_that_takes_a_post_is_no_handshake(client):
    assert (await client.put("/v1/speak")).status_code == 405


async def test_a_socket_that_is_not_served_is_no_path(client):
    assert (await client.get("/v1/realtime")).status_code == 404


def test_the_connection_goes_on_after_a_426(synthesizer):
    with serving(synthesizer) as url, httpx.Client(base_url=url) as client:
        assert client.get("/v1/audio/speech/stream").status_code == 426
        refused = client.post("/v1/audio/speech/stream", json=speech())
        assert refused.status_code == 426
        assert refused.headers.get_list("connection") == ["Upgrade", "close"]  # its body is unread
        assert client.get("/health").status_code == 200


async def test_a_session_that_is_called_stream_can_be_cancelled(client):
    response = await client.delete("/v1/audio/speech/stream")
    assert response.json()["session_id"] == "stream"


GETS = sorted({path for method, path in routes() if method == "GET"} | {"/openapi.json"})


@pytest.mark.parametrize("path", GETS)
async def test_head_answers_as_get_without_the_body(client, path):
    for name, value in (("session_id", "s"), ("model_id:path", "english"), ("voice_id", "anna")):
        path = path.replace(f"{{{name}}}", value)
    got, head = await client.get(path), await client.head(path)
    assert (head.status_code, head.content) == (got.status_code, b"")
    assert head.headers["content-type"] == got.headers["content-type"]
    assert head.headers.get("content-length") == got.headers.get("content-length")


@pytest.mark.parametrize("path", ["/", "/health", "/v1/models"])
def test_the_connection_goes_on_after_a_head(synthesizer, path):
    with serving(synthesizer) as url, httpx.Client(base_url=url) as client:
        for _ in range(2):
            head = client.head(path)
            assert (head.status_code, head.content) == (200, b"")
        assert client.get(path).json()


async def test_head_on_a_path_without_get_is_refused(client):
    response = await client.head("/v1/audio/speech")
    assert (response.status_code, response.content) == (405, b"")
    assert response.headers["allow"] == "POST"
