"""Access to every route: API keys, roles, tenants, origins and limits; and logs without secrets."""

import contextlib
import logging

import httpx
import pytest
import websockets
from fastapi.routing import APIWebSocketRoute

from app.client.speech_client import RequestFailed, SpeechClient
from tests.support.api_clients import in_process, serving, speech
from tests.support.api_keys import bearer_of as bearer
from tests.support.api_keys import key
from tests.support.eventually import eventually
from tests.support.fakes import FakeSynthesizer
from tests.support.routes import routes

KEYS = (
    key("red-key", "red", "red", ("speak",)),
    key("blue-key", "blue", "blue", ("speak",)),
    key("voices-key", "voices", "red", ("speak", "voices")),
    key("admin-key", "admin", "red", ("speak", "voices", "admin")),
    key("no-role", "mute", "red", ("voices",)),
)
OPEN_TO_ALL = {"/", "/health", "/play", "/play/{name}"}
LISTS = {"/v1/models", "/v1/models/{model_id:path}", "/v1/audio/voices"}  # for any key
LISTS |= {"/v1/audio/voices/{voice_id}", "/v1/audio/pronunciations"}
LISTS |= {"/v1/audio/models", "/v1/voices"}
SOCKETS = {"/v1/audio/speech/stream", "/tts/websocket", "/v1/speak", "/jambonz/synthesize"}
SOCKETS |= {f"/v1/text-to-speech/{{voice}}/{kind}stream-input" for kind in ("", "multi-")}
MADE = ("/v1/audio/voices", "/v1/audio/pronunciations")  # with the role `voices`
NOT_HERE = {"uploads_off", "not_served"}
ORIGIN = "https://app.example"


def url_of(path):
    for name, value in (
        ("session_id", "s"),
        ("model_id:path", "english"),
        ("voice_id", "anna"),
        ("name", "client.js"),
    ):
        path = path.replace(f"{{{name}}}", value)
    return path


async def ask(method, path, headers=None, **options):
    async with in_process(FakeSynthesizer(), keys=KEYS, **options) as client:
        return await client.request(method, url_of(path), headers=headers)


def test_the_list_of_routes_is_complete():
    paths = {path for _, path in routes()}
    assert {"/", "/v1/audio/speech", "/cancel/{session_id}", "/v1/models"} <= paths
    assert {path for _, path in routes(APIWebSocketRoute)} == SOCKETS


@pytest.mark.parametrize(
    ("method", "path"), [*routes(), ("GET", "/nowhere"), ("GET", "/openapi.json")]
)
@pytest.mark.parametrize(
    "headers",
    [
        None,
        bearer("wrong"),
        bearer(""),
        {"Authorization": "Basic red-key"},
        {"X-API-Key": "wrong"},
        {"Cookie": "api_key=red-key"},
    ],
)
async def test_no_route_answers_without_a_known_key(method, path, headers):
    response = await ask(method, path, headers)
    if path in OPEN_TO_ALL:
        assert response.status_code == 200
        return
    assert response.status_code == 401
    assert response.headers["www-authenticate"] == "Bearer"
    assert response.json()["error"]["type"] == "invalid_request_error"


@pytest.mark.parametrize("path", ["/v1/models?api_key=red-key", "/v1/models?key=red-key"])
async def test_a_key_in_a_url_is_no_key(path):
    assert (await ask("GET", path)).status_code == 401


@pytest.mark.parametrize(("method", "path"), routes())
@pytest.mark.parametrize("headers", [bearer("admin-key"), {"X-API-Key": "admin-key"}])
async def test_every_route_answers_a_key_with_all_roles(method, path, headers):
    response = await ask(method, path, headers)
    assert response.status_code not in (401, 403)
    assert response.status_code < 500 or response.json()["error"]["code"] in NOT_HERE


@pytest.mark.parametrize(("method", "path"), routes())
async def test_a_key_without_the_role_gets_a_403(method, path):
    makes = path.startswith(MADE) and method != "GET"
    response = await ask(method, path, bearer("red-key" if makes else "no-role"))
    if path in OPEN_TO_ALL or (path in LISTS and method == "GET"):
        assert response.status_code == 200
    else:
        error = response.json()["error"]
        assert (response.status_code, error["code"]) == (403, "role_missing")
        named = error["message"].removeprefix("this API key lacks the role ")
        assert named in ("'speak'", "'voices'", "'admin'")


async def test_the_body_of_an_unauthorized_request_is_not_read():
    async def never():
        raise AssertionError("read")
        yield b""

    async with in_process(FakeSynthesizer(), keys=KEYS) as client:
        response = await client.post("/v1/audio/speech", content=never())
    assert response.status_code == 401


async def test_a_cancel_reaches_sessions_of_its_own_tenant_only():
    synthesizer = FakeSynthesizer()
    async with in_process(synthesizer, keys=KEYS) as client:
        mine = {**bearer("red-key"), "X-Request-ID": "s"}
        await client.post("/v1/audio/speech", json=speech(), headers=mine)
        await client.post("/cancel/s", headers=bearer("blue-key"))
        await client.delete("/v1/audio/speech/s", headers=bearer("red-key"))
    assert synthesizer.requests[0].key == ("red", "s")
    assert synthesizer.cancels == [("blue", "s"), ("red", "s")]


@pytest.mark.parametrize("path", ["/v1/audio/speech", "/cancel/s"])
async def test_pages_of_other_origins_are_refused(path):
    headers = {**bearer("red-key"), "Origin": "https://evil.example"}
    response = await ask("POST", path, headers)
    assert (response.status_code, response.json()["error"]["code"]) == (403, "origin_not_allowed")
    allowed = await ask("POST", path, {**headers, "Origin": ORIGIN}, origins=(ORIGIN,))
    assert allowed.status_code != 403
    assert allowed.headers["access-control-allow-origin"] == ORIGIN


async def test_cors_is_off_by_default():
    response = await ask("GET", "/v1/models", {**bearer("red-key"), "Origin": ORIGIN})
    assert "access-control-allow-origin" not in response.headers
    preflight = {"Origin": ORIGIN, "Access-Control-Request-Method": "POST"}
    refused = await ask("OPTIONS", "/v1/audio/speech", preflight)
    assert refused.status_code == 403
    granted = await ask("OPTIONS", "/v1/audio/speech", preflight, origins=(ORIGIN,))
    assert granted.headers["access-control-allow-origin"] == ORIGIN
    assert "access-control-allow-credentials" not in granted.headers


async def test_a_server_without_keys_refuses_other_host_names():
    async with in_process(FakeSynthesizer()) as client:
        for headers in ({"Host": "rebound.example"}, {"X-Forwarded-For": "203.0.113.9"}):
            response = await client.get("/v1/models", headers=headers)
            assert response.json()["error"]["code"] == "loopback_only"
        assert (await client.get("/health", headers={"Host": "a.example"})).status_code == 403


@pytest.mark.parametrize("host", ["[::1]", "[::1]:8000", "localhost", "127.0.0.1:1"])
async def test_a_server_without_keys_answers_each_name_of_this_machine(host):
    async with in_process(FakeSynthesizer()) as client:
        assert (await client.get("/v1/models", headers={"Host": host})).status_code == 200


@pytest.mark.parametrize("host", ["me@127.0.0.1", "me:secret@localhost:8000", "@localhost"])
@pytest.mark.parametrize("keys", [(), KEYS])
async def test_a_host_with_user_information_is_a_400(host, keys):
    async with in_process(FakeSynthesizer(), keys=keys) as client:
        headers = {"Host": host, **bearer("red-key")}
        response = await client.get("/v1/models", headers=headers)
    assert (response.status_code, response.json()["error"]["param"]) == (400, "Host")


OTHER_SITE = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors"}  # as of an <img>
PREVIEW = "/v1/audio/voices/anna/preview"


@pytest.mark.parametrize("path", [PREVIEW, "/v1/models", "/v1/audio/voices"])
async def test_pages_of_other_sites_cannot_make_a_server_without_keys_speak(path):
    synthesizer = FakeSynthesizer()
    async with in_process(synthesizer) as client:
        refused = await client.get(path, headers=OTHER_SITE)
        assert (refused.status_code, refused.json()["error"]["code"]) == (403, "origin_not_allowed")
        assert "access.origins" in refused.json()["error"]["message"]
        assert synthesizer.requests == []
        for headers in ({}, {"Sec-Fetch-Site": "same-origin"}, {"Sec-Fetch-Site": "none"}):
            assert (await client.get(path, headers=headers)).status_code != 403
        assert (await client.get("/health", headers=OTHER_SITE)).status_code == 200


async def test_pages_of_other_sites_are_served_with_a_key_or_a_listed_origin():
    for options in ({"keys": KEYS}, {"origins": (ORIGIN,)}):
        async with in_process(FakeSynthesizer(), **options) as client:
            response = await client.get("/v1/models", headers=OTHER_SITE | bearer("red-key"))
            assert response.status_code == 200


@pytest.mark.parametrize(
    ("options", "status"),
    [
        ({}, 401),
        ({"additional_headers": bearer("wrong")}, 401),
        ({"additional_headers": bearer("no-role")}, 403),
        ({"additional_headers": bearer("red-key")}, 101),
        ({"additional_headers": {"X-API-Key": "red-key"}}, 101),
        ({"subprotocols": ["chatterbox", "chatterbox.key.red-key"]}, 101),
        ({"subprotocols": ["chatterbox", "chatterbox.key.wrong"]}, 401),
        (
            {
                "additional_headers": bearer("blue-key"),
                "subprotocols": ["chatterbox", "chatterbox.key.red-key"],
            },
            400,
        ),
        ({"additional_headers": bearer("red-key"), "origin": "https://evil.example"}, 403),
        ({"additional_headers": bearer("red-key"), "origin": ORIGIN}, 101),
    ],
)
async def test_a_socket_opens_for_a_known_key_and_an_allowed_origin(options, status):
    with serving(FakeSynthesizer(), keys=KEYS, origins=(ORIGIN,)) as url:
        address = url.replace("http", "ws") + "/v1/audio/speech/stream"
        if status != 101:
            with pytest.raises(websockets.InvalidStatus) as refused:
                await websockets.connect(address, **options)
            assert refused.value.response.status_code == status
            return
        async with websockets.connect(address, **options) as socket:
            assert socket.subprotocol == ("chatterbox" if "subprotocols" in options else None)


LIMITED = [key("k", "k", "red", ("speak",), requests_per_minute=2, max_text_chars=20)]


async def test_a_reached_limit_of_a_key_is_a_429_before_any_work():
    synthesizer = FakeSynthesizer()
    async with in_process(synthesizer, keys=LIMITED) as client:
        answers = [
            await client.post("/v1/audio/speech", json=speech(), headers=bearer("k"))
            for _ in range(3)
        ]
    assert [response.status_code for response in answers] == [200, 200, 429]
    refused = answers[-1]
    assert refused.json()["error"]["param"] == "requests_per_minute"
    assert 1 <= int(refused.headers["retry-after"]) <= 60
    assert len(synthesizer.requests) == 2


async def test_max_text_chars_of_a_key_is_kept():
    async with in_process(FakeSynthesizer(), keys=LIMITED) as client:
        long = speech(input="Hello there. " * 4)
        response = await client.post("/v1/audio/speech", json=long, headers=bearer("k"))
    assert response.json()["error"]["code"] == "string_above_max_length"


async def test_max_tokens_of_a_key_is_kept():
    synthesizer = FakeSynthesizer()
    keys = [key("k", "k", "red", ("speak",), max_tokens=100)]
    async with in_process(synthesizer, keys=keys) as client:
        answers = [
            await client.post("/v1/audio/speech", json=speech(**asked), headers=bearer("k"))
            for asked in ({}, {"max_tokens": 50}, {"max_tokens": 101})
        ]
    assert [response.status_code for response in answers] == [200, 200, 400]
    assert answers[-1].json()["error"]["param"] == "max_tokens"
    assert [request.sampling.max_tokens for request in synthesizer.requests] == [100, 50]


async def test_a_closed_socket_gives_its_place_back():
    keys = [key("k", "k", "red", ("speak",), max_sockets=1), key("other", "other", "red")]
    with serving(FakeSynthesizer(), keys=keys) as url:
        address = url.replace("http", "ws") + "/v1/audio/speech/stream"
        async with websockets.connect(address, additional_headers=bearer("k")):
            with pytest.raises(websockets.InvalidStatus) as refused:
                await websockets.connect(address, additional_headers=bearer("k"))
            assert refused.value.response.status_code == 429
            assert refused.value.response.headers["retry-after"] == "1"
            async with websockets.connect(address, additional_headers=bearer("other")):
                pass  # another key has its own

        async def opens():
            with contextlib.suppress(websockets.InvalidStatus):
                async with websockets.connect(address, additional_headers=bearer("k")):
                    return True

        await eventually(opens, 10, "the server has closed its end of the first socket")


def test_a_session_that_ends_by_a_disconnect_gives_its_place_back():
    synthesizer = FakeSynthesizer(hold_at=1)
    keys = [key("k", "k", "red", ("speak",), max_concurrent=1)]
    with serving(synthesizer, keys=keys) as url:

        def post(session_id):
            headers = {**bearer("k"), "X-Request-ID": session_id}
            wanted = speech(response_format="pcm")
            return httpx.stream("POST", f"{url}/v1/audio/speech", json=wanted, headers=headers)

        with post("a") as first:
            body = first.iter_raw()  # kept: an iterator that is dropped leaves
            next(body)
            with post("b") as second:
                assert second.status_code == 429
                assert second.headers["retry-after"] == "1"
        synthesizer.wait_until_closed()  # the client of "a" has left
        synthesizer.hold_at = None
        with post("c") as third:
            assert third.status_code == 200
            third.read()
    assert [request.key.session_id for request in synthesizer.requests] == ["a", "c"]


async def test_logs_hold_no_key(caplog):
    caplog.set_level(logging.DEBUG)
    async with in_process(FakeSynthesizer(), keys=KEYS) as client:
        await client.post("/v1/audio/speech", json=speech(), headers=bearer("red-key"))
        await client.get("/v1/models", headers=bearer("wrong-key"))
    assert "red-key" not in caplog.text
    assert "wrong-key" not in caplog.text


def test_the_client_library_sends_the_key_of_its_environment(monkeypatch):
    with serving(FakeSynthesizer(), keys=KEYS) as url:
        monkeypatch.setenv("CHATTERBOX_API_KEY", "red-key")
        with SpeechClient(url) as client:
            assert client.models() == ["english"]
        monkeypatch.delenv("CHATTERBOX_API_KEY")
        with SpeechClient(url) as client, pytest.raises(RequestFailed, match="401"):
            client.models()
