"""What dies takes its sessions with an explicit error, nobody else's, and comes back."""

import asyncio
import json
import time
import uuid
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass

import httpx
import psutil
import pytest
import ray

from app.core import CancelState, FinishReason, SamplingParams, SessionKey, TokenRequest
from tests.deployments.conftest import until_idle
from tests.support.deployments.battered import (
    ARGS,
    RECOVERED_WITHIN_S,
    Battered,
    deploy,
    spoken,
    until_it_speaks,
)

LONG = "It was a bright cold day in April, and the clocks were striking thirteen; she waited. " * 2
TOLD_WITHIN_S = 5  # a replica says twice a second how it is; on a busy machine


def body(text: str = "Hello there.", **fields: object) -> dict[str, object]:
    spoken = {"model": "embedded-babble", "input": text, "voice": "ada", "response_format": "pcm"}
    return spoken | {"seed": 1} | fields


@pytest.fixture
async def client(app: Battered) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=app.url, timeout=120) as client:
        await until_it_speaks(client, body())
        yield client


@dataclass
class Open:
    """A stream that is being heard. `error`: the code of its error event, if it has one."""

    session: str
    heard: asyncio.Event
    task: "asyncio.Task[None]"
    sse: bool
    num_bytes: int = 0
    broke_off: bool = False
    error: str | None = None
    finish: str | None = None

    def ended_with_an_error(self) -> bool:
        return self.error is not None if self.sse else self.broke_off

    def ended_well(self) -> bool:
        return not (self.broke_off or self.error) and (self.finish is not None or not self.sse)


async def opened(client: httpx.AsyncClient, *, sse: bool, prefix: str = "open") -> Open:
    session = f"{prefix}-{uuid.uuid4().hex}"
    stream = Open(session, asyncio.Event(), asyncio.current_task(), sse)  # type: ignore[arg-type]
    stream.task = asyncio.ensure_future(listen(client, stream))
    waiting = asyncio.ensure_future(stream.heard.wait())
    await asyncio.wait({waiting, stream.task}, return_when=asyncio.FIRST_COMPLETED)
    waiting.cancel()
    assert stream.heard.is_set(), "it ended before it was heard"
    return stream


async def listen(client: httpx.AsyncClient, stream: Open) -> None:
    fields = body(LONG, stream_format="sse" if stream.sse else "audio")
    headers = {"X-Request-ID": stream.session}
    try:
        async with client.stream(
            "POST", "v1/audio/speech", json=fields, headers=headers
        ) as response:
            assert response.status_code == httpx.codes.OK
            async for line in response.aiter_lines() if stream.sse else response.aiter_raw():
                stream.heard.set()
                stream.num_bytes += len(line)
                if isinstance(line, str) and line:
                    event = json.loads(line.removeprefix("data: "))
                    stream.error = event.get("error", {}).get("code")
                    stream.finish = event.get("finish_reason")
    except httpx.RemoteProtocolError:
        stream.broke_off = True


async def until_health_is(client: httpx.AsyncClient, status: int, within_s: float) -> None:
    give_up_at = time.monotonic() + within_s
    while (told := (await client.get("health")).status_code) != status:
        assert time.monotonic() < give_up_at, told
        await asyncio.sleep(0.05)


def kill(process: psutil.Process) -> None:
    with suppress(psutil.NoSuchProcess):
        process.kill()


@pytest.mark.parametrize("stage", ["T3", "Vocoder"])
async def test_a_killed_stage_ends_its_streams_with_an_error_and_is_replaced(app, client, stage):
    streams = [await opened(client, sse=sse) for sse in (True, False)]
    (process,) = app.replicas(stage)
    kill(process)
    await asyncio.gather(*(stream.task for stream in streams))
    assert [stream.ended_with_an_error() for stream in streams] == [True, True]
    assert streams[0].error == "replica_lost"
    await until_it_speaks(client, body())
    await until_idle(client)


async def test_a_killed_ingress_breaks_its_streams_and_no_others(app, client):
    whole = await client.post("v1/audio/speech", json=body(LONG, stream=False))
    streams = [await opened(client, sse=n % 2 == 0) for n in range(6)]
    tasks = {stream.task for stream in streams}
    for process in app.replicas("Ingress"):  # the first may have none of them
        kill(process)
        await asyncio.wait(tasks, timeout=5, return_when=asyncio.FIRST_COMPLETED)
        if any(stream.broke_off for stream in streams):
            break
    await asyncio.gather(*tasks)
    assert any(stream.broke_off for stream in streams)
    for stream in streams:
        assert stream.broke_off or stream.ended_well()
        if not (stream.sse or stream.broke_off):  # a cut that looks like an end would be short
            assert stream.num_bytes == len(whole.content)
    await until_it_speaks(client, body())
    await until_idle(client)


async def test_a_killed_registry_costs_no_stream_and_a_cancel_finds_the_next(app, client):
    through, cancelled = [await opened(client, sse=True) for _ in range(2)]
    ray.kill(app.sessions.registry(), no_restart=False)
    while (ack := await client.post(f"cancel/{cancelled.session}")).status_code == 503:
        pass  # after 3 s: a restart takes longer than that where the machine is busy
    assert ack.json()["state"] in ("stopped", "stopping", "unknown")  # unknown: not yet restored
    await asyncio.gather(through.task, cancelled.task)
    assert cancelled.finish == FinishReason.CANCELLED
    assert through.ended_well()
    again = (await client.post(f"cancel/{cancelled.session}")).json()
    assert again["state"] in (CancelState.ALREADY_DONE, CancelState.UNKNOWN)
    await until_idle(client)


async def test_an_engine_that_fails_tells_every_session_turns_health_red_and_is_replaced(
    app, client
):
    streams = [await opened(client, sse=sse) for sse in (True, False)]
    poison = {"X-Request-ID": f"poison-{uuid.uuid4().hex}"}
    answer = await client.post("v1/audio/speech", json=body(LONG, stream=False), headers=poison)
    assert answer.status_code == httpx.codes.INTERNAL_SERVER_ERROR
    assert answer.json()["error"]["code"] == "synthesis_failed"
    await asyncio.gather(*(stream.task for stream in streams))
    assert [stream.ended_with_an_error() for stream in streams] == [True, True]
    assert streams[0].error == "synthesis_failed"
    await until_health_is(client, httpx.codes.SERVICE_UNAVAILABLE, TOLD_WITHIN_S)
    await until_it_speaks(client, body())
    await until_health_is(client, httpx.codes.OK, RECOVERED_WITHIN_S)


@pytest.mark.long
async def test_a_step_that_hangs_takes_its_replica_with_it_and_another_serves(app, client):
    impatient = ARGS.limits.model_copy(update={"step_timeout_s": 5.0})
    await asyncio.to_thread(deploy, app, ARGS.model_copy(update={"limits": impatient}))
    await until_health_is(client, httpx.codes.OK, RECOVERED_WITHIN_S)
    stream = await opened(client, sse=True)
    hanging = {"X-Request-ID": f"hang-{uuid.uuid4().hex}"}
    answer = await client.post("v1/audio/speech", json=body(LONG, stream=False), headers=hanging)
    assert answer.status_code >= httpx.codes.INTERNAL_SERVER_ERROR
    await stream.task
    assert stream.ended_with_an_error()
    await until_it_speaks(client, body())
    await until_health_is(client, httpx.codes.OK, RECOVERED_WITHIN_S)


async def test_a_rolling_update_fails_nothing(app, client):
    through = await opened(client, sse=True)
    statuses: list[int] = []
    updated = asyncio.Event()

    async def ask() -> None:
        while not updated.is_set() or len(statuses) < 10:
            statuses.append(await spoken(client, body()))

    asking = [asyncio.ensure_future(ask()) for _ in range(2)]
    changed = ARGS.model_copy(update={"t3_cpus": 0.21, "vocoder_cpus": 0.49})
    before = {p.pid for p in app.replicas("T3") + app.replicas("Vocoder")}
    await asyncio.to_thread(deploy, app, changed)
    updated.set()
    await asyncio.gather(*asking, through.task)
    assert set(statuses) == {httpx.codes.OK}
    assert through.ended_well()
    after = {p.pid for p in app.replicas("T3") + app.replicas("Vocoder")}
    assert after - before, "nothing was replaced"


async def test_a_session_whose_consumer_says_nothing_is_given_up_by_t3(served):
    """Serve cannot tell T3 whether anybody pulls: this test pulls, but no vocoder wants it."""
    sampling = SamplingParams(max_tokens=1000, ignore_eos=True)
    requests = [
        TokenRequest(SessionKey("default", f"lost-{n}"), 0, "Hello there.", "ada", sampling)
        for n in range(8)  # together they take longer than a lease
    ]

    async def last(request: TokenRequest) -> FinishReason | None:
        stream = served.t3.options(method_name="tokens", stream=True).remote(request)
        return [group.finish async for group in stream][-1]

    finishes = await asyncio.gather(*map(last, requests))
    assert finishes == [FinishReason.CANCELLED] * 8
