"""A proxy that repeats the refusals of a flood, and passes everything else on."""

import asyncio

import httpx
import pytest

from app.api import flood_refusals
from app.api.flood_refusals import FloodRefusals, marked, num_repeated
from app.errors import RateLimited
from app.key_settings import AdmissionSettings
from tests.support.api_clients import serving, speech
from tests.support.api_keys import bearer_of, key
from tests.support.clock import Clock, no_pause
from tests.support.fakes import FakeSynthesizer

KEYS = (key("red-key", "red", "red"), key("blue-key", "blue", "blue"))
RED, BLUE = bearer_of("red-key"), bearer_of("blue-key")
SLOW = AdmissionSettings(requests_per_s=0.01)  # the first one; then the next after 100 s


class Spied:
    """Counts what the proxy passes on."""

    def __init__(self, app):
        self.app = app
        self.paths = []

    async def __call__(self, scope, receive, send):
        if scope["type"] == "http":
            self.paths.append(scope["path"])
        await self.app(scope, receive, send)


async def test_a_flood_does_not_reach_the_application_and_everything_else_does():
    codes, spies = [], []

    def proxied(app):
        spies.append(Spied(app))
        return FloodRefusals(spies[0], pause=no_pause)

    options = {"keys": KEYS, "admission": SLOW, "refused": codes.append, "proxied": proxied}
    with serving(FakeSynthesizer(), **options) as url:
        async with httpx.AsyncClient(base_url=url, timeout=60) as client:
            answers = [await client.get("/v1/models", headers=RED) for _ in range(40)]
            assert [each.status_code for each in answers] == [200] + [429] * 39
            assert len({each.text for each in answers[1:]}) == 1  # repeated word by word
            assert all(int(each.headers["retry-after"]) >= 99 for each in answers[1:])
            assert all(each.headers["x-request-id"] for each in answers)
            assert spies[0].paths == ["/v1/models"] * 2
            refused = await client.post("/v1/audio/speech", json=speech(), headers=RED)
            assert (refused.status_code, refused.headers["connection"]) == (429, "close")
            assert codes == ["too_many_requests"]
            assert (await client.get("/health")).status_code == 200
            assert codes == ["too_many_requests"] * 40  # the proxy has told the number
            assert (await client.post("/cancel/x", headers=RED)).status_code == 404
            assert (await client.get("/v1/sessions/x", headers=RED)).status_code == 404
            assert (await client.get("/v1/models", headers=BLUE)).status_code == 200
            assert (await client.get("/v1/models")).status_code == 401
            assert codes.count("too_many_requests") == 40


class Refusing:
    """An application that refuses for ten seconds, and what it was asked for."""

    def __init__(self):
        self.scopes = []

    async def __call__(self, scope, receive, send):
        self.scopes.append(scope)
        of_socket = "websocket." if scope["type"] == "websocket" else ""
        start = {"type": f"{of_socket}http.response.start", "status": 429, "headers": []}
        await send(marked(start, RateLimited("some.limit", 10, "too_many_requests")))
        await send({"type": f"{of_socket}http.response.body", "body": b""})


async def ask(proxy, path="/v1/models", secret="red", method="GET", client="127.0.0.1", **more):
    """The first message of the answer."""
    sent = []

    async def send(message):
        sent.append(message)

    headers = [] if secret is None else [(b"authorization", f"Bearer {secret}".encode())]
    scope = {"type": "http", "method": method, "path": path, "headers": headers, **more}
    await proxy({**scope, "client": (client, 1)}, None, send)
    return sent[0]


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def app():
    return Refusing()


async def test_a_refusal_is_repeated_for_as_long_as_it_holds(app, clock):
    proxy = FloodRefusals(app, clock, no_pause)
    for _ in range(5):
        assert (await ask(proxy))["status"] == 429
    assert len(app.scopes) == 1
    clock.now += 10.1
    await ask(proxy)
    assert [num_repeated(scope) for scope in app.scopes] == [0, 4]


@pytest.mark.parametrize(
    "other",
    [
        {"secret": "blue"},
        {"secret": None},
        {"path": "/health"},
        {"path": "/cancel/x", "method": "POST"},
        {"path": "/v1/audio/speech/x", "method": "DELETE"},
        {"path": "/v1/sessions/x"},
        {"path": "/english/v1/models"},
    ],
)
@pytest.mark.parametrize("prefix", ["", "/turbo"])
async def test_it_is_not_repeated_to_others_or_in_other_rooms(app, clock, prefix, other):
    proxy = FloodRefusals(app, clock, no_pause)
    path = prefix + other.get("path", "/v1/models")
    await ask(proxy, f"{prefix}/v1/models")
    await ask(proxy, **{**other, "path": path})
    assert len(app.scopes) == 2


async def test_callers_without_credentials_are_known_by_their_address(app, clock):
    proxy = FloodRefusals(app, clock, no_pause)
    for client in ("127.0.0.1", "127.0.0.1", "10.0.0.1"):
        await ask(proxy, secret=None, client=client)
    assert len(app.scopes) == 2


async def test_the_number_of_kept_refusals_is_bounded(app, clock, monkeypatch):
    monkeypatch.setattr(flood_refusals, "MAX_KEPT", 3)
    proxy = FloodRefusals(app, clock, no_pause)
    for number in range(5):
        await ask(proxy, secret=f"key-{number}")
    assert len(app.scopes) == 5
    await asyncio.gather(*(ask(proxy, secret=f"key-{number}") for number in range(5)))
    assert len(app.scopes) == 7  # two were not kept
    clock.now += 11
    await ask(proxy, secret="key-4")
    await ask(proxy, secret="key-4")
    assert len(app.scopes) == 8


async def test_a_repeated_refusal_comes_after_a_pause_but_for_those_of_a_crowd(
    app, clock, monkeypatch
):
    monkeypatch.setattr(flood_refusals, "MAX_WAITING", 3)
    over, pauses_s = asyncio.Event(), []

    async def pause(seconds):
        pauses_s.append(seconds)
        await over.wait()

    proxy = FloodRefusals(app, clock, pause)
    await ask(proxy)
    assert pauses_s == []
    repeated = [asyncio.ensure_future(ask(proxy)) for _ in range(5)]
    await asyncio.wait(repeated, return_when=asyncio.FIRST_COMPLETED)
    assert ([each.done() for each in repeated], len(pauses_s)) == ([False] * 3 + [True] * 2, 3)
    over.set()
    assert [sent["status"] for sent in await asyncio.gather(*repeated)] == [429] * 5
    await ask(proxy)
    assert len(pauses_s) == 4


@pytest.mark.parametrize("path", ["//v1/models", "/v1/v1/models/", "/models"])
async def test_a_misspelled_path_is_no_way_around_a_refusal(app, clock, path):
    proxy = FloodRefusals(app, clock, no_pause)
    await ask(proxy)
    await ask(proxy, path)
    assert len(app.scopes) == 1


@pytest.mark.parametrize(
    "path", ["/v1/audio/speech/x/", "/audio/speech/x", "/v1/v1/audio/speech/x"]
)
async def test_a_cancel_passes_by_every_path_that_means_it(app, clock, path):
    proxy = FloodRefusals(app, clock, no_pause)
    await ask(proxy)
    await ask(proxy, path, method="DELETE")
    assert len(app.scopes) == 2


SOCKET = {
    "type": "websocket",
    "path": "/v1/audio/speech/stream",
    "extensions": {"websocket.http.response": {}},
}


async def test_the_refusal_of_a_handshake_is_repeated_to_handshakes_alone(app, clock):
    proxy = FloodRefusals(app, clock, no_pause)
    for _ in range(5):
        first = await ask(proxy, **SOCKET)
        assert (first["type"], first["status"]) == ("websocket.http.response.start", 429)
    assert len(app.scopes) == 1
    await ask(proxy)
    await ask(proxy, **SOCKET, secret="blue")
    await ask(proxy, **SOCKET | {"path": "/tts/websocket"})
    assert len(app.scopes) == 4


async def test_a_handshake_that_cannot_be_answered_with_a_status_is_passed_on(app, clock):
    proxy = FloodRefusals(app, clock, no_pause)
    for _ in range(3):
        await ask(proxy, **SOCKET | {"extensions": {}})
    assert len(app.scopes) == 3


@pytest.mark.parametrize(
    ("name", "asked"),
    [
        ("xi-api-key", {}),
        ("x-vapi-secret", {}),
        ("x-api-key", {}),
        ("xi-api-key", SOCKET),
        ("sec-websocket-protocol", SOCKET),
    ],
)
async def test_a_key_is_not_refused_for_another_one_of_its_address(app, clock, name, asked):
    """In each header in which a client may send a key."""
    proxy = FloodRefusals(app, clock, no_pause)
    for key_sent in (b"chatterbox.key.red", b"chatterbox.key.red", b"chatterbox.key.blue"):
        await ask(proxy, headers=[(name.encode(), key_sent)], **asked)
    assert len(app.scopes) == 2


async def test_other_words_of_the_headers_of_keys_are_no_way_around_a_refusal(app, clock):
    proxy = FloodRefusals(app, clock, no_pause)
    for number in range(3):
        words = f"other.{number}, openai-insecure-api-key.red".encode()
        other = (b"authorization", f"Basic {number}".encode())
        await ask(proxy, **SOCKET, headers=[(b"sec-websocket-protocol", words), other])
    assert len(app.scopes) == 1


async def test_a_key_that_is_sent_several_times_is_one_caller(app, clock):
    proxy = FloodRefusals(app, clock, no_pause)
    for number in range(3):
        await ask(proxy, headers=[(b"x-api-key", b"red ")] * (1 + number))
    assert len(app.scopes) == 1
