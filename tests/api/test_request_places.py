"""What a key may hold open and ask for, over HTTP: each refusal, and who is never refused."""

import asyncio
import random
from functools import partial

import httpx
import pytest
import websockets

from app.api.app import create_app
from app.api.flood_refusals import FloodRefusals
from app.auth import request_limiter
from app.config import Limits
from app.key_settings import AdmissionSettings
from tests.support.api_clients import in_process, serving, speech
from tests.support.api_keys import bearer_of, key
from tests.support.clock import no_pause
from tests.support.eventually import eventually
from tests.support.fakes import FakeSynthesizer

pytestmark = pytest.mark.full  # seconds in all

KEYS = (key("red-key", "red", "red"), key("blue-key", "blue", "blue"))
RED, BLUE = bearer_of("red-key"), bearer_of("blue-key")
WAIT_S = 60  # a busy machine
SPEECH, MODELS = "/v1/audio/speech", "/v1/models"
PCM = speech(response_format="pcm")


class Listeners:
    """Streams of one server that stay open until the test lets them go."""

    def __init__(self, client, synthesizer):
        self.client = client
        self.synthesizer = synthesizer
        self.tasks = []

    async def begin(self, number, headers):
        for _ in range(number):
            named = {**headers, "X-Request-ID": f"held-{len(self.tasks)}"}
            post = self.client.post(SPEECH, json=PCM, headers=named)
            self.tasks.append(asyncio.ensure_future(post))
        wanted = len(self.tasks)
        await eventually(
            lambda: len(self.synthesizer.requests) == wanted, 10, "all listeners have begun"
        )

    async def end(self):
        self.synthesizer.hold_at = None
        self.synthesizer.release()
        return [(await task).status_code for task in self.tasks]


async def test_a_key_has_a_number_of_requests_in_flight_and_another_key_its_own():
    synthesizer, codes = FakeSynthesizer(hold_at=1), []
    few = AdmissionSettings(max_requests_per_key=2)
    async with in_process(synthesizer, keys=KEYS, admission=few, refused=codes.append) as client:
        listeners = Listeners(client, synthesizer)
        await listeners.begin(2, RED)
        refused = await client.get(MODELS, headers=RED)
        assert (refused.status_code, refused.headers["retry-after"]) == (429, "1")
        error = refused.json()["error"]
        assert error["code"] == codes[-1] == "too_many_open_requests"
        assert error["param"] == "admission.max_requests_per_key"
        assert (await client.get(MODELS, headers=BLUE)).status_code == 200
        assert (await client.get("/health")).status_code == 200
        assert (await client.get("/v1/sessions/held-0", headers=RED)).status_code == 200
        stopped = await client.post("/cancel/held-0", headers=RED)
        assert stopped.json()["state"] == "stopped"
        assert sorted(await listeners.end()) == [200, 200]
        assert (await client.get(MODELS, headers=RED)).status_code == 200


@pytest.fixture
def two_at_once(monkeypatch):
    """Settings with which a key has two tokens; the next one comes after a quarter of an hour."""
    monkeypatch.setattr(request_limiter, "BURST_S", 2000)
    return partial(AdmissionSettings, requests_per_s=0.001)


async def test_requests_without_a_place_are_small_ones(two_at_once):
    synthesizer = FakeSynthesizer(hold_at=1)
    few = two_at_once(max_requests_per_key=1)
    async with in_process(synthesizer, keys=KEYS, admission=few) as client:
        listeners = Listeners(client, synthesizer)
        await listeners.begin(1, RED)
        answers = [await client.post(SPEECH, json=PCM, headers=RED) for _ in range(3)]
        codes = [each.json()["error"]["code"] for each in answers]
        assert codes == ["too_many_open_requests"] * 2 + ["too_many_requests"]
        assert (await client.post("/cancel/held-0", headers=RED)).status_code == 200
        assert await listeners.end() == [200]


async def test_a_full_server_answers_503_and_still_health_cancels_and_reports():
    synthesizer, codes = FakeSynthesizer(hold_at=1), []
    full = AdmissionSettings(max_requests=2)
    async with in_process(synthesizer, keys=KEYS, admission=full, refused=codes.append) as client:
        listeners = Listeners(client, synthesizer)
        await listeners.begin(2, RED)
        refused = await client.post(SPEECH, json=PCM, headers=BLUE)
        assert (refused.status_code, refused.headers["retry-after"]) == (503, "1")
        assert refused.json()["error"]["code"] == codes[-1] == "server_full"
        assert refused.json()["error"]["param"] == "admission.max_requests"
        assert (await client.get("/health")).status_code == 200
        assert (await client.post("/cancel/held-1", headers=RED)).status_code == 200
        assert (await client.get("/v1/sessions/x", headers=BLUE)).status_code == 404
        await listeners.end()


async def test_a_flood_of_small_requests_is_refused_and_the_key_still_speaks_and_cancels():
    codes = []
    slow = AdmissionSettings(requests_per_s=1)  # four at once
    async with in_process(
        FakeSynthesizer(), keys=KEYS, admission=slow, refused=codes.append
    ) as client:
        answers = [await client.get(MODELS, headers=RED) for _ in range(5)]
        assert [answer.status_code for answer in answers] == [200, 200, 200, 200, 429]
        assert answers[-1].headers["retry-after"] == "1"
        assert answers[-1].json()["error"]["code"] == codes[-1] == "too_many_requests"
        assert answers[-1].json()["error"]["param"] == "admission.requests_per_s"
        assert (await client.get(MODELS, headers=BLUE)).status_code == 200
        assert (await client.post("/cancel/x", headers=RED)).status_code == 404
        assert (await client.get("/v1/sessions/x", headers=RED)).status_code == 404
        for _ in range(100):
            assert (await client.get("/health")).status_code == 200


@pytest.mark.parametrize("body", [{}, speech(voice="nobody"), speech(input="")])
async def test_requests_that_are_refused_are_small_ones(body):
    slow = AdmissionSettings(requests_per_s=1)
    async with in_process(FakeSynthesizer(), admission=slow) as client:
        answers = [await client.post(SPEECH, json=body) for _ in range(5)]
    assert {answer.status_code for answer in answers[:4]} <= {400, 404}
    assert answers[4].status_code == 429


async def test_requests_that_speak_are_no_small_ones():
    slow = AdmissionSettings(requests_per_s=1)
    async with in_process(FakeSynthesizer(), admission=slow) as client:
        for _ in range(30):
            assert (await client.post(SPEECH, json=PCM)).status_code == 200


async def test_a_flood_of_cancels_is_refused_and_the_cancels_of_another_key_are_not():
    slow = AdmissionSettings(control_per_s=1)
    async with in_process(FakeSynthesizer(), keys=KEYS, admission=slow) as client:
        answers = [await client.post("/cancel/x", headers=RED) for _ in range(5)]
        assert [answer.status_code for answer in answers] == [404, 404, 404, 404, 429]
        assert (await client.post("/cancel/x", headers=BLUE)).status_code == 404
        assert (await client.get("/v1/sessions/x", headers=RED)).status_code == 404


async def test_a_poisson_crowd_of_one_key_that_leaves_and_cancels_is_never_refused():
    """120 requests in 1.2 s, of which three in ten stop early, with the default limits."""
    draw, codes = random.Random(1), []
    with serving(FakeSynthesizer(num_chunks=10), keys=KEYS, refused=codes.append) as url:
        options = {"limits": httpx.Limits(max_connections=None), "timeout": WAIT_S}
        async with httpx.AsyncClient(base_url=url, headers=RED, **options) as client:

            async def one(number, at_s):
                await asyncio.sleep(at_s)
                named = {"X-Request-ID": f"s-{number}"}
                async with client.stream("POST", SPEECH, json=PCM, headers=named) as answer:
                    assert answer.status_code == 200
                    body = answer.aiter_raw()
                    await anext(body)
                    if number % 10 == 0:
                        assert (await client.post(f"/cancel/s-{number}")).status_code == 200
                    if number % 10 > 2:
                        async for _ in body:
                            pass
                assert (await client.get(f"/v1/sessions/s-{number}")).status_code == 200

            times = [draw.uniform(0, 1.2) for _ in range(120)]
            await asyncio.gather(*(one(number, at_s) for number, at_s in enumerate(times)))
    assert codes == []


# Sockets


def address(url):
    return url.replace("http", "ws") + "/v1/audio/speech/stream"


def connect(url, headers):
    return websockets.connect(address(url), additional_headers=headers, open_timeout=WAIT_S)


async def refusal_of(url, headers):
    with pytest.raises(websockets.InvalidStatus) as refused:
        await connect(url, headers)
    return refused.value.response


async def test_64_sockets_of_one_key_open_at_once():
    with serving(FakeSynthesizer(), keys=KEYS) as url:
        sockets = await asyncio.gather(*(connect(url, RED) for _ in range(64)))
        for socket in sockets:
            await socket.send('{"type": "start", "context_id": "c", "voice": "default"}')
        for socket in sockets:
            assert '"started"' in await socket.recv()
            await socket.close()


async def test_one_socket_too_many_of_a_key_is_a_429_before_the_handshake():
    codes = []
    few = AdmissionSettings(max_sockets_per_key=2)
    with serving(FakeSynthesizer(), keys=KEYS, admission=few, refused=codes.append) as url:
        async with connect(url, RED), connect(url, RED):
            refused = await refusal_of(url, RED)
            assert (refused.status_code, refused.headers["retry-after"]) == (429, "1")
            assert b"admission.max_sockets_per_key" in refused.body
            assert codes == ["too_many_sockets"]
            async with connect(url, BLUE):
                pass


async def test_handshakes_without_a_place_are_soon_refused_near_the_client(two_at_once):
    codes, reached = [], []

    def proxied(app):
        async def spied(scope, receive, send):
            reached.append(scope["type"])
            await app(scope, receive, send)

        return FloodRefusals(spied, pause=no_pause)

    few = two_at_once(max_sockets_per_key=1)
    options = {"keys": KEYS, "admission": few, "refused": codes.append, "proxied": proxied}
    with serving(FakeSynthesizer(), **options) as url:
        async with connect(url, RED):
            answers = [(await refusal_of(url, RED)).body for _ in range(4)]
            assert b"too_many_sockets" in answers[0]
            assert all(b"too_many_requests" in each for each in answers[1:])
            assert reached.count("websocket") == 3  # one is open
            async with connect(url, BLUE):
                assert codes == ["too_many_sockets"] + ["too_many_requests"] * 3
            async with httpx.AsyncClient(base_url=url, headers=RED) as client:
                assert (await client.get(MODELS)).status_code == 200


async def test_a_server_full_of_sockets_is_a_503_and_takes_other_requests():
    full = AdmissionSettings(max_sockets=2)
    with serving(FakeSynthesizer(), keys=KEYS, admission=full) as url:
        async with connect(url, RED), connect(url, RED):
            refused = await refusal_of(url, BLUE)
            assert (refused.status_code, refused.headers["retry-after"]) == (503, "1")
            assert b"server_full" in refused.body
            async with httpx.AsyncClient(base_url=url, headers=BLUE) as client:
                assert (await client.post(SPEECH, json=PCM)).status_code == 200
                assert (await client.get("/health")).status_code == 200


@pytest.mark.parametrize(
    ("options", "headers", "code"),
    [
        ({"admission": AdmissionSettings(max_sockets_per_key=1)}, RED, 1013),
        ({"admission": AdmissionSettings(max_sockets=1)}, BLUE, 1013),
        ({}, {}, 1008),
    ],
)
async def test_a_server_without_http_refusals_closes_with_a_code(options, headers, code):
    """A server that cannot answer a handshake with a status (the extension of ASGI is absent)."""
    app = create_app(FakeSynthesizer(), Limits(), keys=KEYS, **options)

    async def opened(headers):
        sent, leave = [], asyncio.Event()
        messages = iter([{"type": "websocket.connect"}])

        async def receive():
            if (message := next(messages, None)) is not None:
                return message
            await leave.wait()
            return {"type": "websocket.disconnect", "code": 1000}

        async def send(message):
            sent.append(message)

        scope = {"type": "websocket", "path": "/v1/audio/speech/stream", "client": ("127.0.0.1", 1)}
        raw = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
        serving = asyncio.ensure_future(
            app({**scope, "headers": raw, "query_string": b"", "subprotocols": []}, receive, send)
        )
        await eventually(lambda: sent, 10, "the server has answered the handshake")
        return sent, leave, serving

    accepted, leave, serving_first = await opened(RED)
    assert accepted[0]["type"] == "websocket.accept"
    refused, _, serving_second = await opened(headers)
    await serving_second
    assert [(each["type"], each["code"]) for each in refused] == [("websocket.close", code)]
    leave.set()
    await serving_first
