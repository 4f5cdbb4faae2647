"""The stop of many sessions: all of a tenant over every route, and all of a server by an admin."""

import asyncio
from contextlib import asynccontextmanager

import httpx
import pytest
import websockets

from tests.support.api_clients import serving, speech
from tests.support.api_keys import bearer_of, key
from tests.support.eventually import eventually
from tests.support.fakes import FakeSynthesizer
from tests.support.speech_sockets import Client

KEYS = (
    key("red-key", "red", "red", ("speak",)),
    key("blue-key", "blue", "blue", ("speak",)),
    key("admin-key", "boss", "ops", ("admin",)),
)
SOCKET = "red-socket"


@pytest.fixture
def synthesizer():
    return FakeSynthesizer(hold_at=1)  # a session is live until it is stopped


@pytest.fixture
def url(synthesizer):
    with serving(synthesizer, keys=KEYS) as url:
        yield url
        synthesizer.release()


@pytest.fixture
async def client(url):
    async with httpx.AsyncClient(base_url=url, timeout=10) as client:
        yield client


def named(key_name, session_id):
    return {**bearer_of(key_name), "X-Request-ID": session_id}


@asynccontextmanager
async def speaking(client, path, body, headers):
    """A stream whose first sound was heard."""
    async with client.stream("POST", path, json=body, headers=headers) as response:
        pieces = response.aiter_raw()
        await anext(pieces)
        yield pieces


@asynccontextmanager
async def speech_of(client, key_name, session_id):
    body = speech(response_format="pcm")
    async with speaking(client, "/v1/audio/speech", body, named(key_name, session_id)) as pieces:
        yield pieces


@asynccontextmanager
async def red_over_every_route(client, url):
    """Three live sessions of tenant red, as the client of the socket among them."""
    address = f"{url.replace('http', 'ws')}/v1/audio/speech/stream"
    events = {"text": "Hello there.", "response_format": "wav"}
    async with (
        speech_of(client, "red-key", "red-http"),
        websockets.connect(address, additional_headers=named("red-key", SOCKET)) as socket,
    ):
        talker = Client(socket)
        await talker.start()
        await talker.send("text", "c", text="This is the first sentence. This is the next one. ")
        await talker.send("close", "c")
        await talker.until("audio")
        desktop = client.post(
            "/api/vox_speak_wav", json=events, headers=named("red-key", "red-desktop")
        )
        yield talker, desktop


async def is_speaking(client, key_name):
    answer = await client.get("/api/tts_is_speaking", headers=bearer_of(key_name))
    return answer.json()


@pytest.mark.parametrize("path", ["vox_stop", "vox_stop_speak", "stop_all_vox"])
async def test_a_stop_reaches_the_sessions_of_every_route(client, url, synthesizer, path):
    async with red_over_every_route(client, url) as (talker, desktop):
        spoken = asyncio.ensure_future(desktop)
        await eventually(lambda: len(synthesizer.requests) == 3, 10, "three sessions are live")
        assert await is_speaking(client, "red-key") == {"is_speaking": True, "sessions": 3}
        stopped = (await client.post(f"/api/{path}", headers=bearer_of("red-key"))).json()
        ids = {"red-http", "red-desktop", f"{SOCKET}-0-0"}
        assert {each["session_id"] for each in stopped["stopped"]} == ids
        assert {each["state"] for each in stopped["stopped"]} == {"stopped"}
        assert (await talker.until("done"))[-1]["finish_reason"] == "cancelled"
        await spoken
    assert len(synthesizer.requests) == 3  # no further take of the socket's text was spoken
    assert await is_speaking(client, "red-key") == {"is_speaking": False, "sessions": 0}


async def test_a_stop_leaves_another_tenant_alone(client):
    async with (
        speech_of(client, "red-key", "red"),
        speech_of(client, "blue-key", "blue"),
    ):
        stopped = (await client.post("/api/vox_stop", headers=bearer_of("blue-key"))).json()
        assert stopped == {"stopped": [{"session_id": "blue", "state": "stopped"}]}
        assert (await is_speaking(client, "red-key"))["sessions"] == 1
        assert (await is_speaking(client, "blue-key"))["sessions"] == 0


@pytest.mark.parametrize(
    ("body", "left"), [(None, 0), ({}, 0), ({"tenant": None}, 0), ({"tenant": "blue"}, 1)]
)
async def test_an_admin_stops_the_sessions_of_every_tenant_or_of_one(client, body, left):
    async with (
        speech_of(client, "red-key", "red"),
        speech_of(client, "blue-key", "blue"),
    ):
        answer = await client.post("/v1/admin/stop", json=body, headers=bearer_of("admin-key"))
        assert answer.json() == {"stopped": 2 - left, "stopping": 0}
        assert (await is_speaking(client, "red-key"))["sessions"] == left
        assert (await is_speaking(client, "blue-key"))["sessions"] == 0
    again = await client.post("/v1/admin/stop", headers=bearer_of("admin-key"))
    assert again.json() == {"stopped": 0, "stopping": 0}


@pytest.mark.parametrize(
    ("request_of", "status"),
    [
        ({"json": {"tenants": "blue"}}, 400),
        ({"json": {"tenant": ""}}, 400),
        ({"json": ["blue"]}, 400),
        ({"content": b'{"tenant": "blue"}'}, 415),  # without its type it must not mean everyone
    ],
)
async def test_a_wrong_order_of_an_admin_stops_nobody(client, synthesizer, request_of, status):
    async with speech_of(client, "red-key", "red"):
        refused = await client.post("/v1/admin/stop", headers=bearer_of("admin-key"), **request_of)
        assert refused.status_code == status
        assert synthesizer.cancels == []


async def test_only_an_admin_stops_other_tenants(client, synthesizer):
    refused = await client.post("/v1/admin/stop", headers=bearer_of("red-key"))
    assert (refused.status_code, refused.json()["error"]["code"]) == (403, "role_missing")
    assert synthesizer.cancels == []
