"""Every `log.info` of the program arrives in a served replica's log file, with its session."""

import asyncio
import json
import uuid
from collections import Counter
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
import websockets
from ray import serve
from websockets.exceptions import ConnectionClosed, InvalidStatus

from app.config import Limits, ServeArgs
from app.hearing_settings import HearingSettings
from deployments.app import assemble
from tests.support.api_keys import bearer_of, key
from tests.support.deployments.event_streams import opened, until_heard
from tests.support.deployments.replica_logs import AS_JSON, lines_of, log_lines
from tests.support.deployments.served_app import (
    LONG_TEXT,
    ServedApp,
    client_of,
    speech_body,
    wait_until_healthy,
)
from tests.support.eventually import eventually
from tests.support.log_calls import LogCall, log_calls
from tests.support.realtime_client import served_client
from tests.support.recorded_voice import interrupted
from tests.support.stalled_clients import (
    connected,
    post,
    speak_in_a_realtime_session,
    speak_on_a_socket,
)

NAME = "logged"
ARRIVES_WITHIN_S = 30
KEYS = (key("one-at-once", "one", max_concurrent=1, max_sockets=1), key("any-number", "any"))
INFO_CALLS = [call for call in log_calls("app", "deployments") if call.level == "info"]
SHOWN = {  # the number of calls in each file, each of which a test below shows arriving
    "app/api/admission.py": 1,
    "app/api/connection.py": 1,  # in test_replica_log.py: Ray fails a `receive` 1 in 20 times
    "app/api/middleware.py": 2,
    "app/api/realtime/responses.py": 1,
    "app/api/realtime/session.py": 1,
    "app/api/speech_response.py": 1,
    "app/api/speech_socket.py": 2,
    "app/client/wyoming_bridge.py": 1,  # of a command, whose process is no replica
    "app/engine/t3/find_heads.py": 1,
    "deployments/session_log.py": 1,
    "deployments/shared_cells.py": 1,
}


@pytest.fixture(scope="module")
def logged(served: ServedApp) -> Iterator[str]:
    """The URL of an application with API keys, whose replicas log JSON."""
    limits = Limits(stalled_reader_s=1)
    hearing = HearingSettings(num_warm=0)
    args = ServeArgs(model="embedded-babble", limits=limits, hearing=hearing)
    application = assemble(args, keys=KEYS)
    serve.run(application, name=NAME, route_prefix=f"/{NAME}", logging_config=AS_JSON)
    wait_until_healthy(f"{served.url}/{NAME}")
    yield f"{served.url}/{NAME}"
    serve.delete(NAME)


@pytest.fixture
async def client(logged: str):
    async with client_of(logged) as client:
        yield client


async def until_logged(deployment: str, path: str, **fields: object) -> dict[str, Any]:
    """The line that `log.info` of this file has written, with these fields."""
    calls = [call for call in INFO_CALLS if call.path == path]

    def line() -> dict[str, Any] | None:
        written = [each for each in log_lines(NAME, deployment) if fields.items() <= each.items()]
        return next((each for each in written if any(wrote(call, each) for call in calls)), None)

    return await eventually(line, ARRIVES_WITHIN_S, f"{path} has logged {fields}")


def wrote(call: LogCall, line: dict[str, Any]) -> bool:
    is_there = call.first_line <= line["lineno"] <= call.last_line
    return line["name"] == call.logger and is_there


def test_a_line_that_is_being_written_is_read_when_it_is_whole():
    assert lines_of('{"name": "a"}\n{"name": "b') == [{"name": "a"}]
    assert lines_of('{"name": "a"}\n{"name": "b"}\n') == [{"name": "a"}, {"name": "b"}]


def test_every_info_call_is_shown():
    assert Counter(call.path for call in INFO_CALLS) == SHOWN


async def test_the_cells_of_the_vocoder_are_logged(logged):
    told = await until_logged("Vocoder", "deployments/shared_cells.py")
    assert "A segment's cells have" in told["message"]


async def test_where_times_of_words_come_from_is_logged(logged):
    told = await until_logged("T3", "app/engine/t3/find_heads.py")
    assert "times of words of embedded-babble: estimated" in told["message"]


async def test_the_end_of_a_session_is_logged(client):
    session = uuid.uuid4().hex
    headers = bearer_of("any-number") | {"X-Request-ID": session}
    answer = await client.post("v1/audio/speech", json=speech_body("Hello."), headers=headers)
    assert answer.status_code == httpx.codes.OK
    line = await until_logged("Ingress", "deployments/session_log.py", session=session)
    assert line["deployment"] == "logged_Ingress"
    assert (line["tenant"], line["cause"], line["tokens"] > 0) == ("red", "finished", True)


async def test_a_session_beyond_the_limit_of_its_key_is_logged(client):
    client.headers.update(bearer_of("one-at-once"))
    stream = opened(client, speech_body(LONG_TEXT))
    await until_heard(stream)
    refused = await client.post("v1/audio/speech", json=speech_body("Hello."))
    assert refused.status_code == httpx.codes.TOO_MANY_REQUESTS
    message = "key one is refused: max_concurrent"
    await until_logged("Ingress", "app/api/admission.py", message=message)
    await stream.task


def socket_of(logged: str, secret: str) -> websockets.connect:
    url = logged.replace("http", "ws") + "/v1/audio/speech/stream"
    return websockets.connect(url, additional_headers=bearer_of(secret))


async def test_a_socket_beyond_the_limit_of_its_key_is_logged(logged):
    async with socket_of(logged, "one-at-once"):
        with pytest.raises((InvalidStatus, ConnectionClosed)):
            async with socket_of(logged, "one-at-once") as second:
                await second.recv()
        message = "socket refused: too_many_sockets"
        await until_logged("Ingress", "app/api/middleware.py", message=message)


async def test_a_socket_without_a_key_is_logged(logged):
    with pytest.raises((InvalidStatus, ConnectionClosed)):
        async with socket_of(logged, "unknown") as socket:
            await socket.recv()
    await until_logged(
        "Ingress", "app/api/middleware.py", message="socket refused: invalid_api_key"
    )


async def test_a_client_that_leaves_its_socket_is_logged(logged):
    async with socket_of(logged, "any-number") as socket:
        await socket.send(json.dumps({"type": "start", "context_id": "one", "voice": "ada"}))
        assert json.loads(await socket.recv())["type"] == "started"
        socket.transport.abort()
    line = await until_logged("Ingress", "app/api/speech_socket.py")
    assert line["session"] in line["message"]


async def test_a_client_that_reads_nothing_is_logged(logged):
    session = f"stalled-{uuid.uuid4().hex}"
    path = f"{httpx.URL(logged).path}/v1/audio/speech"
    with connected(logged) as client:
        post(client, path, speech_body(LONG_TEXT * 4), session, "any-number")
        line = await until_logged("Ingress", "app/api/speech_response.py", session=session)
    assert "limits.stalled_reader_s" in line["message"]


async def test_a_client_that_reads_nothing_from_its_socket_is_logged(logged):
    socket_id = f"stalled-{uuid.uuid4().hex}"
    named = {"request_id": socket_id, "root": httpx.URL(logged).path, "secret": "any-number"}
    with connected(logged) as client:
        speak_on_a_socket(client, text=LONG_TEXT * 4, voice="ada", **named)
        line = await until_logged("Ingress", "app/api/speech_socket.py", session=socket_id)
    assert "limits.stalled_reader_s" in line["message"]


async def test_a_client_that_reads_nothing_from_its_realtime_session_is_logged(logged):
    session = f"stalled-{uuid.uuid4().hex}"
    named = {"request_id": session, "root": httpx.URL(logged).path, "secret": "any-number"}
    with connected(logged) as client:
        speak_in_a_realtime_session(client, LONG_TEXT * 4, **named)
        line = await until_logged("Ingress", "app/api/realtime/session.py", session=session)
    assert "limits.stalled_reader_s" in line["message"]


async def test_a_barge_in_is_logged_and_is_in_the_report_of_the_speech_that_it_cut(logged, client):
    bearer = bearer_of("any-number")
    async with served_client(logged, bearer) as listener:
        done, told = await interrupted(listener, LONG_TEXT * 4)
    spoken, session = done["response"], done["response"]["session_id"]
    line = await until_logged("Ingress", "app/api/realtime/responses.py", session=session)
    assert (line["response_id"], line["legs_ms"]) == (spoken["id"], told["legs_ms"])

    async def report() -> dict[str, Any] | None:
        answer = await client.get(f"v1/sessions/{session}", headers=bearer)
        found: dict[str, Any] | None = answer.json()["barge_in"]
        return found

    kept = await eventually(report, ARRIVES_WITHIN_S, "the report has the barge-in")
    assert kept == {name: told[name] for name in ("response_id", "marks", "legs_ms")}


async def test_a_client_that_leaves_before_its_body_was_read_is_logged(logged):
    """A client that leaves before its request has reached the ingress is not seen there, so the
    next one stays longer."""
    sessions: list[str] = []

    async def one_is_logged() -> bool:
        sessions.append(await leave_before_the_body(logged, 0.5 * 2 ** len(sessions)))
        lines = log_lines(NAME, "Ingress")
        calls = [call for call in INFO_CALLS if call.path == "app/api/middleware.py"]
        return any(
            line.get("session") in sessions and any(wrote(call, line) for call in calls)
            for line in lines
        )

    await eventually(one_is_logged, ARRIVES_WITHIN_S, "a client that left is logged", every_s=0.5)


async def leave_before_the_body(logged: str, after_s: float) -> str:
    """The session of a request whose client leaves `after_s` seconds after its head."""
    session = uuid.uuid4().hex
    url = httpx.URL(logged)
    head = [
        f"POST {url.path}/v1/audio/speech HTTP/1.1",
        f"Host: {url.host}:{url.port}",
        "Authorization: Bearer any-number",
        f"X-Request-ID: {session}",
        "Content-Type: application/json",
        "Content-Length: 1000",
    ]
    _, writer = await asyncio.open_connection(url.host, url.port)
    writer.write("\r\n".join([*head, "", "{"]).encode())
    await writer.drain()
    await asyncio.sleep(after_s)
    writer.close()
    await writer.wait_closed()
    return session
