"""Slow bodies, idle sockets and floods, on a served application: beside them another tenant
listens, cancels and opens a socket, and /health answers. Runs in both proxy lanes (test_lanes.py).
"""

import asyncio
import os
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from urllib.parse import urlsplit

import httpx
import pytest
import websockets
from ray import serve

from app.auth.request_limiter import BURST_S
from app.config import Limits, ServeArgs
from app.key_settings import AdmissionSettings
from deployments.app import assemble
from loadtests.attackers import attacking
from tests.support.api_keys import bearer_of, key
from tests.support.deployments.event_streams import opened, until_heard
from tests.support.deployments.served_app import (
    LONG_TEXT,
    ServedApp,
    client_of,
    speech_body,
    until_idle,
    wait_until_healthy,
)
from tests.support.eventually import eventually

NAME = "door"
GREYS = [f"grey-{n}" for n in range(10)]
KEYS = tuple(key(f"{name}-key", name, name) for name in ("red", "blue", *GREYS))
NUM_ATTACKS, NUM_PLACES, NUM_MORE = 560, 50, 25
NUM_FLOODING = 48
CLOSED_WITHIN_S = 60
PARTS_OF_A_BODY = b'{"model": "english",'


@pytest.fixture(scope="module")
def url(served: ServedApp) -> Iterator[str]:
    args = ServeArgs(
        model="embedded-babble",
        limits=Limits(body_s=4, admit="all"),
        admission=AdmissionSettings(
            max_bodies_per_key=NUM_PLACES,
            max_sockets_per_key=NUM_PLACES,
            requests_per_s=(NUM_PLACES + NUM_MORE) / BURST_S,
        ),
    )
    serve.run(assemble(args, keys=KEYS), name=NAME, route_prefix=f"/{NAME}")
    wait_until_healthy(f"{served.url}/{NAME}")
    yield f"{served.url}/{NAME}"
    serve.delete(NAME)


@asynccontextmanager
async def neighbour(url: str) -> AsyncIterator[httpx.AsyncClient]:
    """A client of another tenant, who listens before, during and after the attack."""
    async with client_of(url) as client:
        client.headers.update(bearer_of("blue-key"))
        stream = opened(client, speech_body(LONG_TEXT))
        await until_heard(stream)
        yield client
        await stream.task
        assert stream.ended_well, stream
        await until_idle(client)


async def is_served(client: httpx.AsyncClient) -> None:
    """Health, a cancel, a report and speech of the neighbour."""
    assert (await client.get("health")).status_code == httpx.codes.OK
    stream = opened(client, speech_body(LONG_TEXT))
    await until_heard(stream)
    stopped = await client.post(f"cancel/{stream.session_id}")
    assert stopped.json()["state"] in ("stopped", "stopping")
    report = await client.get(f"v1/sessions/{stream.session_id}")
    assert report.status_code == httpx.codes.OK
    await stream.task
    assert stream.error is None


async def slow_body(url: str) -> bytes:
    """Sends 20 bytes of a body and waits. The status line of the answer, once the server has closed
    the connection."""
    parts = urlsplit(url)
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
    head = (
        f"POST {parts.path}/v1/audio/speech HTTP/1.1\r\nHost: {parts.hostname}\r\n"
        "Authorization: Bearer red-key\r\nContent-Type: application/json\r\n"
        "Content-Length: 5000\r\n\r\n"
    )
    writer.write(head.encode() + PARTS_OF_A_BODY)
    answer = await reader.read()
    writer.close()
    return answer.partition(b"\r\n")[0]


def idle_socket(url: str, name: str) -> websockets.connect:
    address = url.replace("http", "ws") + "/v1/audio/speech/stream"
    headers = bearer_of(f"{name}-key")
    return websockets.connect(address, additional_headers=headers, open_timeout=60)


async def test_slow_bodies_of_one_key_touch_nobody_else_and_are_closed(url):
    async with neighbour(url) as client:
        attacks = [asyncio.ensure_future(slow_body(url)) for _ in range(NUM_ATTACKS)]
        for _ in range(3):
            await is_served(client)
        async with asyncio.timeout(CLOSED_WITHIN_S):
            answers = Counter(line.split(b" ")[1] for line in await asyncio.gather(*attacks))
    assert answers.keys() == {b"408", b"429"}
    assert answers[b"408"] >= NUM_PLACES


async def test_idle_sockets_of_one_key_are_bounded_and_touch_nobody_else(url):
    held: list[websockets.ClientConnection] = []
    refusals: Counter[tuple[int, str]] = Counter()

    async def idle() -> None:
        try:
            socket = await idle_socket(url, "red")
        except websockets.InvalidStatus as refused:
            refusals[refused.response.status_code, refused.response.headers["retry-after"]] += 1
        else:
            held.append(socket)

    async with neighbour(url) as client:
        opening = [asyncio.ensure_future(idle()) for _ in range(NUM_PLACES + NUM_MORE)]
        await is_served(client)
        await asyncio.gather(*opening)
        assert (len(held), refusals) == (NUM_PLACES, {(429, "1"): NUM_MORE})
        await is_served(client)
        async with idle_socket(url, "blue"):
            pass
        await asyncio.gather(*(socket.close() for socket in held))

        async def opens() -> bool:
            try:
                async with idle_socket(url, "red"):
                    return True
            except websockets.InvalidStatus:
                return False

        await eventually(opens, CLOSED_WITHIN_S, "the places of closed sockets are free")


@pytest.mark.long
async def test_idle_sockets_of_ten_keys_touch_nobody_else(url):
    async with neighbour(url) as client, AsyncExitStack() as opened:
        idle = [idle_socket(url, name) for name in GREYS * NUM_PLACES]
        await asyncio.gather(*map(opened.enter_async_context, idle))
        for _ in range(3):
            await is_served(client)
        async with idle_socket(url, "blue"):
            pass


@pytest.mark.long
async def test_a_flood_of_small_requests_is_refused_and_touches_nobody_else(url):
    environment = os.environ | {"CHATTERBOX_API_KEY": "red-key"}
    async with neighbour(url) as client:
        with attacking(url, "small-requests", NUM_FLOODING, environment) as counted:
            for _ in range(3):
                await is_served(client)
    assert counted["answers"].keys() == {"200", "429"}
