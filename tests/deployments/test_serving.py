"""The whole product through real HTTP: text in, streamed and cancellable speech out."""

import asyncio
import io
import uuid

import httpx
import numpy as np
import openai
import perth
import pytest
import soundfile

from app.core import DEFAULT_TENANT, SessionKey
from tests.deployments.conftest import Served, record, until_idle
from tests.support.deployments.serving import HOLD_AT, release, until_held

LONG = "It was a bright cold day in April, and the clocks were striking thirteen; she waited. " * 2


def body(text: str, **fields: object) -> dict[str, object]:
    return {
        "model": "embedded-babble",
        "input": text,
        "voice": "ada",
        "response_format": "pcm",
        "seed": 5,
    } | fields


def samples(pcm: bytes) -> np.ndarray:
    return np.frombuffer(pcm, "<i2").astype(np.int32)


@pytest.fixture
async def client(served: Served):
    async with httpx.AsyncClient(base_url=served.url, timeout=120) as client:
        yield client


async def speak(client: httpx.AsyncClient, text: str, **fields: object) -> httpx.Response:
    response = await client.post("/v1/audio/speech", json=body(text, **fields))
    assert response.status_code == httpx.codes.OK, response.text
    return response


async def test_sound_is_heard_while_t3_is_held_in_the_middle_of_one_sentence(client, served):
    request = client.stream(
        "POST",
        "/v1/audio/speech",
        json=body(LONG),
        headers={"X-Request-ID": f"hold-{uuid.uuid4().hex}"},
    )
    async with request as response:
        chunks = response.aiter_raw()
        first = await anext(chunks)  # T3 is held at its 40th token, or will be
        await asyncio.to_thread(release, served.gate)
        rest = b"".join([chunk async for chunk in chunks])
    heard_before = len(first) / 2 / 960
    assert 0 < heard_before < HOLD_AT
    assert len(first + rest) / 2 / 960 > HOLD_AT


async def test_a_cancel_lets_t3_run_at_most_one_more_step(client, served):
    session = f"hold-{uuid.uuid4().hex}"
    request = client.stream(
        "POST", "/v1/audio/speech", json=body(LONG), headers={"X-Request-ID": session}
    )
    async with request as response:
        chunks = response.aiter_raw()
        await anext(chunks)
        await asyncio.to_thread(until_held, served.gate)
        ack = (await client.post(f"/cancel/{session}")).json()
        assert ack["state"] == "stopping"  # T3 is held: it cannot have confirmed
        await asyncio.to_thread(release, served.gate)
        async for _ in chunks:
            pass
    await until_idle(client)
    steps = await served.t3.session_steps.remote(SessionKey(DEFAULT_TENANT, session))
    assert steps.num_steps >= HOLD_AT
    assert steps.num_after_abort <= 1
    again = (await client.post(f"/cancel/{session}")).json()
    assert again["state"] == "already_done"


async def test_two_streams_at_once_sound_as_each_does_alone(client):
    texts = ("The first speaker says this.", "And another one says something else.")
    voices = ("ada", "bela")
    alone = [
        samples((await speak(client, text, voice=voice)).content)
        for text, voice in zip(texts, voices, strict=True)
    ]
    together = await asyncio.gather(
        *(speak(client, text, voice=voice) for text, voice in zip(texts, voices, strict=True))
    )
    for solo, response in zip(alone, together, strict=True):
        heard = samples(response.content)
        assert len(heard) == len(solo)
        assert np.abs(heard - solo).max() <= 4


async def test_the_whole_file_is_the_collected_stream(client):
    streamed = await speak(client, "One text, asked for twice. It has two sentences.")
    whole = await speak(client, "One text, asked for twice. It has two sentences.", stream=False)
    assert whole.headers["content-length"] == str(len(whole.content))
    assert np.abs(samples(streamed.content) - samples(whole.content)).max() <= 4


async def test_every_sound_is_watermarked(client):
    response = await speak(client, LONG, response_format="wav", stream=False)
    wav, rate = soundfile.read(io.BytesIO(response.content), dtype="float32")
    assert perth.PerthImplicitWatermarker().get_watermark(wav, rate, round=False) >= 0.99


async def test_a_cancelled_whole_file_answers_204(client, served):
    session = f"hold-{uuid.uuid4().hex}"
    asking = asyncio.ensure_future(
        client.post(
            "/v1/audio/speech", json=body(LONG, stream=False), headers={"X-Request-ID": session}
        )
    )
    await asyncio.to_thread(until_held, served.gate)
    await client.post(f"/cancel/{session}")
    response = await asking
    assert (response.status_code, response.content) == (httpx.codes.NO_CONTENT, b"")
    await asyncio.to_thread(release, served.gate)
    await until_idle(client)


async def test_a_client_that_hangs_up_frees_every_slot(client, served):
    session = f"hold-{uuid.uuid4().hex}"
    request = client.stream(
        "POST", "/v1/audio/speech", json=body(LONG), headers={"X-Request-ID": session}
    )
    async with request as response:
        await anext(response.aiter_raw())
        await asyncio.to_thread(until_held, served.gate)
    await asyncio.to_thread(release, served.gate)
    await until_idle(client)
    steps = await served.t3.session_steps.remote(SessionKey(DEFAULT_TENANT, session))
    # T3 was let go while the hang-up was on its way to it; the whole segment has about 150 tokens
    assert steps.num_steps <= HOLD_AT + 20
    assert (await client.post(f"/cancel/{session}")).json()["state"] == "already_done"


async def test_a_cancel_that_overtakes_its_request_wins(client):
    session = uuid.uuid4().hex
    early = await client.post(f"/cancel/{session}")
    assert early.status_code == httpx.codes.NOT_FOUND
    response = await client.post(
        "/v1/audio/speech", json=body("Too late.", stream=False), headers={"X-Request-ID": session}
    )
    assert response.status_code == httpx.codes.NO_CONTENT


async def test_a_used_session_id_is_refused(client):
    session = uuid.uuid4().hex
    headers = {"X-Request-ID": session}
    await client.post("/v1/audio/speech", json=body("Once."), headers=headers)
    again = await client.post("/v1/audio/speech", json=body("Twice."), headers=headers)
    assert again.status_code == httpx.codes.CONFLICT
    assert again.headers["x-request-id"] == session


async def test_a_text_of_many_segments_is_spoken_in_order_without_a_gap(client):
    text = " ".join(f"This is sentence number {n}, and it is not short." for n in range(7))
    response = await speak(client, text)
    assert len(response.content) / 2 % 960 == 0
    assert len(response.content) / 2 / 24_000 > 12


async def test_a_recorded_voice_is_enrolled_on_first_use(client):
    names = [voice["id"] for voice in (await client.get("/v1/audio/voices")).json()["voices"]]
    assert "recorded" in names
    recorded = await speak(client, "Hello there.", voice="recorded")
    built_in = await speak(client, "Hello there.", voice="ada")
    assert recorded.content != built_in.content


async def test_a_recording_that_was_replaced_is_the_new_voice_at_once(client, served):
    before = await speak(client, "Hello there.", voice="recorded")
    record(served.voices, seed=8)  # every process has the old one in memory
    replaced = await speak(client, "Hello there.", voice="recorded")
    assert replaced.content != before.content


async def test_a_voice_that_is_not_there_is_refused_by_name(client):
    response = await client.post("/v1/audio/speech", json=body("Hello.", voice="nobody"))
    assert response.status_code == httpx.codes.NOT_FOUND
    assert response.json()["error"]["param"] == "voice"


async def test_the_openai_client_streams_from_the_server(served):
    async with openai.AsyncOpenAI(base_url=f"{served.url}/v1", api_key="none") as sdk:
        request = sdk.audio.speech.with_streaming_response.create(
            model="embedded-babble", voice="ada", input="Hello from the SDK.", response_format="wav"
        )
        async with request as response:
            content = b"".join([chunk async for chunk in response.iter_bytes()])
    wav, rate = soundfile.read(io.BytesIO(content))
    assert rate == 24_000
    assert len(wav) > 12_000


async def test_server_side_events_carry_the_same_sound(client):
    plain = await speak(client, "Hello there.")
    events = (await speak(client, "Hello there.", stream_format="sse")).text
    assert '"type":"speech.audio.done"' in events.replace(": ", ":")
    assert len(plain.content) > 0


FIRST_AUDIO = [
    "received",
    "claimed",
    "conditioned",
    "queued",
    "prefill",
    "first_token",
    "first_cell",
    "first_byte",
    "last_byte",
]


async def test_a_session_tells_where_its_time_went(client):
    spoken = await speak(client, "Hello there.")
    told = (await client.get(f"/v1/sessions/{spoken.headers['x-request-id']}")).json()
    assert "last_cell" in told["marks"]  # before the first byte or after it
    assert [mark for mark in told["marks"] if mark != "last_cell"] == FIRST_AUDIO
    assert told["audio_sent_ms"] == len(spoken.content) / 48
    legs = told["legs_ms"]
    before = [legs[name] for name in list(legs)[: list(legs).index("first_audio")]]
    assert len(before) == len(FIRST_AUDIO) - 2
    assert abs(sum(before) - legs["first_audio"]) < 0.01


@pytest.mark.parametrize("way", ["post", "delete", "disconnect"])
async def test_every_way_to_stop_stops_t3_and_the_vocoder_and_is_told_leg_by_leg(client, way):
    session = uuid.uuid4().hex
    request = client.stream(
        "POST", "/v1/audio/speech", json=body(LONG * 4), headers={"X-Request-ID": session}
    )
    async with request as response:
        parts = response.aiter_raw()  # kept: httpx hangs up when it is collected
        await anext(parts)
        if way == "post":
            ack = await client.post(f"/cancel/{session}")
        elif way == "delete":
            ack = await client.delete(f"/v1/audio/speech/{session}")
    assert way == "disconnect" or ack.json()["state"] in ("stopped", "stopping"), ack.text
    while True:
        told = (await client.get(f"/v1/sessions/{session}")).json()
        if {"t3_stopped", "vocoder_dropped", "audio_stopped"} <= told["marks"].keys():
            break
        await asyncio.sleep(0.01)
    assert told["finish"] == "cancelled"
    assert told["steps_after_abort"] <= 1
    assert told["cells_after_abort"] <= 1
    chain = ["last_step", "t3_told"] if told["steps_after_abort"] == 0 else ["t3_told"]
    marks = [told["marks"][name] for name in [*chain, "t3_stopped"]]
    assert marks == sorted(marks)
    if way == "disconnect":  # Ray tells every actor itself: T3 may have stopped before the ingress
        assert "disconnected" in told["marks"]
    else:
        assert told["marks"]["cancel_received"] < told["marks"]["t3_stopped"]


async def test_prometheus_reads_sessions_and_their_legs(client, metrics_port):
    await speak(client, "Hello there.")
    wanted = {
        "ray_chatterbox_sessions_total{": 'finish="',
        "ray_chatterbox_leg_ms_count{": 'leg="first_audio"',
    }
    async with httpx.AsyncClient(timeout=60) as scraper:  # a page is over a megabyte
        page = f"http://127.0.0.1:{metrics_port}/metrics"
        while wanted:  # Ray exports every few seconds
            lines = (await scraper.get(page)).text.splitlines()
            for name, tag in list(wanted.items()):
                found = [line for line in lines if line.startswith(name) and tag in line]
                if any(float(line.split()[-1]) > 0 for line in found):
                    del wanted[name]
            await asyncio.sleep(0.5)
