"""A part that dies ends its own sessions with an explicit error, no others, and comes back."""

import asyncio
import uuid
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any

import httpx
import psutil
import pytest
import ray

from app.core import CancelState, FinishReason, SamplingParams, SessionKey, TokenRequest, VoiceRef
from tests.support.deployments.event_streams import BROKEN_OFF, Stream, opened, until_heard
from tests.support.deployments.expendable_app import (
    ARGS,
    RECOVERED_WITHIN_S,
    ExpendableApp,
    deploy,
    spoken,
    until_it_speaks,
)
from tests.support.deployments.replica_logs import log_lines
from tests.support.deployments.served_app import (
    LONG_TEXT,
    client_of,
    speech_body,
    until_health_is,
    until_idle,
)
from tests.support.eventually import eventually

TOLD_WITHIN_S = 5  # a replica sends a heartbeat twice a second; the machine may be busy
CANCEL_WITHIN_S = 60  # a registry restarts within seconds where the machine is not busy
SHORT = speech_body("Hello there.")
LONG = speech_body(LONG_TEXT)


@pytest.fixture
async def client(app: ExpendableApp) -> AsyncIterator[httpx.AsyncClient]:
    async with client_of(app.url) as client:
        await until_it_speaks(client, SHORT)
        yield client


async def opened_and_heard(client: httpx.AsyncClient, *, sse: bool) -> Stream:
    stream = opened(client, LONG, sse=sse)
    await until_heard(stream)
    assert not stream.task.done(), stream
    return stream


async def one_of_each_kind(client: httpx.AsyncClient) -> list[Stream]:
    return [await opened_and_heard(client, sse=sse) for sse in (True, False)]


async def errors_of(streams: list[Stream]) -> list[str | None]:
    await asyncio.gather(*(stream.task for stream in streams))
    return [stream.error for stream in streams]


async def line_with_traceback(app: ExpendableApp, deployment: str) -> str:
    """The traceback in a line of the deployment's log."""

    def traceback() -> str:
        lines = log_lines(app.name, deployment)
        return next((line["exc_text"] for line in lines if "exc_text" in line), "")

    return await eventually(traceback, TOLD_WITHIN_S, f"{deployment} has logged a traceback")


async def line_of_error(app: ExpendableApp, session: str) -> dict[str, Any]:
    """The ingress's line for the error of this session, which the error message points to."""

    def line() -> dict[str, Any]:
        errors = (line for line in log_lines(app.name, "Ingress") if line["levelname"] == "ERROR")
        return next((line for line in errors if line.get("session") == session), {})

    return await eventually(line, TOLD_WITHIN_S, f"the ingress has logged the error of {session}")


def kill(process: psutil.Process) -> None:
    with suppress(psutil.NoSuchProcess):
        process.kill()


@pytest.mark.parametrize("stage", ["T3", pytest.param("Vocoder", marks=pytest.mark.long)])
async def test_a_killed_stage_ends_its_streams_with_an_error_and_is_replaced(app, client, stage):
    streams = await one_of_each_kind(client)
    cells = await cells_of(client)
    (process,) = app.replicas(stage)
    kill(process)
    assert await errors_of(streams) == ["replica_lost", BROKEN_OFF]
    await until_it_speaks(client, SHORT)
    await until_idle(client)
    assert await cells_of(client) == cells  # else the same request would sound different


async def cells_of(client: httpx.AsyncClient) -> list[int]:
    """The sizes of cells, which the vocoder has told with its speed."""
    vocoder = (await client.get("health")).json()["stages"]["vocoder"]
    assert vocoder["cells"]
    assert vocoder["cost"]["each_s"] > 0
    return list(vocoder["cells"])


async def test_a_killed_ingress_breaks_off_its_own_streams_alone(app, client):
    whole = await client.post("v1/audio/speech", json=LONG | {"stream": False})
    streams = [await opened_and_heard(client, sse=n % 2 == 0) for n in range(6)]
    tasks = {stream.task for stream in streams}
    for process in app.replicas("Ingress"):  # the first may have none of them
        kill(process)
        await asyncio.wait(tasks, timeout=5, return_when=asyncio.FIRST_COMPLETED)
        if any(stream.broke_off for stream in streams):
            break
    await asyncio.gather(*tasks)
    assert any(stream.broke_off for stream in streams)
    for stream in streams:
        assert stream.broke_off or stream.ended_well, stream
        if not (stream.sse or stream.broke_off):  # a body that was cut would be shorter
            assert stream.num_bytes == len(whole.content)
    await until_it_speaks(client, SHORT)
    await until_idle(client)


async def test_a_killed_registry_ends_no_stream_and_a_cancel_reaches_its_successor(app, client):
    through, cancelled = [await opened_and_heard(client, sse=True) for _ in range(2)]
    ray.kill(app.registry(), no_restart=False)

    async def ack() -> httpx.Response | None:
        answer = await client.post(f"cancel/{cancelled.session_id}")  # 503 after 3 s of retries
        return None if answer.status_code == httpx.codes.SERVICE_UNAVAILABLE else answer

    acknowledged = await eventually(ack, CANCEL_WITHIN_S, "the cancel is acknowledged")
    state = acknowledged.json()["state"]
    assert state in ("stopped", "stopping", "unknown")  # unknown: not restored yet
    await asyncio.gather(through.task, cancelled.task)
    assert cancelled.finish == FinishReason.CANCELLED
    assert through.ended_well
    again = (await client.post(f"cancel/{cancelled.session_id}")).json()
    assert again["state"] in (CancelState.ALREADY_DONE, CancelState.UNKNOWN)
    await until_idle(client)


async def test_a_failed_engine_ends_every_session_turns_health_red_and_is_replaced(app, client):
    streams = await one_of_each_kind(client)
    poison = {"X-Request-ID": f"poison-{uuid.uuid4().hex}"}
    answer = await client.post("v1/audio/speech", json=LONG | {"stream": False}, headers=poison)
    assert answer.status_code == httpx.codes.INTERNAL_SERVER_ERROR
    assert answer.json()["error"]["code"] == "synthesis_failed"
    assert await errors_of(streams) == ["synthesis_failed", BROKEN_OFF]
    assert "RuntimeError: poisoned" in await line_with_traceback(app, "T3")
    assert await line_of_error(app, poison["X-Request-ID"])
    await until_health_is(client, httpx.codes.SERVICE_UNAVAILABLE, TOLD_WITHIN_S)
    await until_it_speaks(client, SHORT)
    await until_health_is(client, httpx.codes.OK, RECOVERED_WITHIN_S)


@pytest.mark.long
async def test_a_replica_whose_step_hangs_is_replaced(app, client):
    impatient = ARGS.limits.model_copy(update={"step_timeout_s": 5.0})
    await asyncio.to_thread(deploy, app, ARGS.model_copy(update={"limits": impatient}))
    await until_health_is(client, httpx.codes.OK, RECOVERED_WITHIN_S)
    stream = await opened_and_heard(client, sse=True)
    hanging = {"X-Request-ID": f"hang-{uuid.uuid4().hex}"}
    answer = await client.post("v1/audio/speech", json=LONG | {"stream": False}, headers=hanging)
    assert answer.status_code >= httpx.codes.INTERNAL_SERVER_ERROR
    assert await errors_of([stream]) != [None]
    await until_it_speaks(client, SHORT)
    await until_health_is(client, httpx.codes.OK, RECOVERED_WITHIN_S)


@pytest.mark.long
async def test_a_rolling_update_fails_no_request(app, client):
    through = await opened_and_heard(client, sse=True)
    statuses: list[int] = []
    updated = asyncio.Event()

    async def ask() -> None:
        while not updated.is_set() or len(statuses) < 10:
            statuses.append(await spoken(client, SHORT))

    asking = [asyncio.ensure_future(ask()) for _ in range(2)]
    changed = ARGS.model_copy(update={"t3_cpus": 0.21, "vocoder_cpus": 0.49})
    before = {p.pid for p in app.replicas("T3") + app.replicas("Vocoder")}
    await asyncio.to_thread(deploy, app, changed)
    updated.set()
    await asyncio.gather(*asking, through.task)
    assert set(statuses) == {httpx.codes.OK}
    assert through.ended_well
    after = {p.pid for p in app.replicas("T3") + app.replicas("Vocoder")}
    assert after - before, "no replica was replaced"


async def test_t3_gives_up_a_session_that_no_vocoder_wants(served):
    """The test reads T3's streams itself, which T3 cannot tell from a vocoder that reads."""
    sampling = SamplingParams(max_tokens=1000, ignore_eos=True)
    requests = [
        TokenRequest(
            SessionKey("default", f"lost-{n}"), 0, "Hello there.", VoiceRef("ada"), sampling
        )
        for n in range(8)  # together they take longer than a lease
    ]

    async def last(request: TokenRequest) -> FinishReason | None:
        stream = served.t3.options(method_name="tokens", stream=True).remote(request)
        return [group.finish async for group in stream][-1]

    finishes = await asyncio.gather(*map(last, requests))
    assert finishes == [FinishReason.CANCELLED] * 8
