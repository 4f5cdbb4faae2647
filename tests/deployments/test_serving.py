"""The whole product through real HTTP: text in, streamed and cancellable speech out."""

import asyncio
import base64
import io
import json
import uuid
from typing import Any

import httpx
import numpy as np
import openai
import perth
import pytest
import soundfile

from app.core import DEFAULT_TENANT, SessionKey
from tests.support.deployments.controlled_stages import HOLD_AT, release, wait_until_held
from tests.support.deployments.served_app import (
    LONG_TEXT,
    SENTENCE,
    ServedApp,
    client_of,
    record_voice,
    speech_body,
    until_idle,
)
from tests.support.eventually import eventually

SAMPLES_OF_A_TOKEN = 960
TOLERANCE = 4  # of 32768: at other batch shapes a sample differs by as much


def samples(pcm: bytes) -> np.ndarray:
    return np.frombuffer(pcm, "<i2").astype(np.int32)


def assert_same_sound(pcm: bytes, other: bytes) -> None:
    assert len(pcm) == len(other) > 0
    assert np.abs(samples(pcm) - samples(other)).max() <= TOLERANCE


@pytest.fixture
async def client(served: ServedApp):
    async with client_of(served.url) as client:
        yield client


async def speak(client: httpx.AsyncClient, text: str, **fields: object) -> httpx.Response:
    response = await client.post("/v1/audio/speech", json=speech_body(text, **fields))
    assert response.status_code == httpx.codes.OK, response.text
    return response


async def test_audio_arrives_while_t3_is_held_within_a_sentence(client, served):
    request = client.stream(
        "POST",
        "/v1/audio/speech",
        json=speech_body(SENTENCE),
        headers={"X-Request-ID": f"hold-{uuid.uuid4().hex}"},
    )
    async with request as response:
        chunks = response.aiter_raw()
        first = await anext(chunks)  # T3 is held at its 40th token, or will be
        await asyncio.to_thread(release, served.gate)
        rest = b"".join([chunk async for chunk in chunks])
    tokens_heard_first = len(first) / 2 / SAMPLES_OF_A_TOKEN
    assert 0 < tokens_heard_first < HOLD_AT
    assert len(first + rest) / 2 / SAMPLES_OF_A_TOKEN > HOLD_AT


async def test_after_a_cancel_t3_runs_at_most_one_step(client, served):
    session = f"hold-{uuid.uuid4().hex}"
    request = client.stream(
        "POST", "/v1/audio/speech", json=speech_body(LONG_TEXT), headers={"X-Request-ID": session}
    )
    async with request as response:
        chunks = response.aiter_raw()
        await anext(chunks)
        await asyncio.to_thread(wait_until_held, served.gate)
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


async def test_two_streams_at_once_sound_as_each_alone(client):
    texts = ("The first speaker says this.", "And another one says something else.")
    voices = ("ada", "bela")
    pairs = list(zip(texts, voices, strict=True))
    alone = [await speak(client, text, voice=voice) for text, voice in pairs]
    together = await asyncio.gather(*(speak(client, text, voice=voice) for text, voice in pairs))
    assert len({response.content for response in alone}) == len(pairs)
    for one, other in zip(alone, together, strict=True):
        assert_same_sound(one.content, other.content)


async def test_a_whole_file_is_the_collected_stream(client):
    streamed = await speak(client, "One text, asked for twice. It has two sentences.")
    whole = await speak(client, "One text, asked for twice. It has two sentences.", stream=False)
    assert whole.headers["content-length"] == str(len(whole.content))
    assert_same_sound(streamed.content, whole.content)


async def test_the_audio_is_watermarked(client):
    response = await speak(client, LONG_TEXT, response_format="wav", stream=False)
    wav, rate = soundfile.read(io.BytesIO(response.content), dtype="float32")
    assert perth.PerthImplicitWatermarker().get_watermark(wav, rate, round=False) >= 0.99


async def test_a_cancelled_whole_file_answers_204(client, served):
    session = f"hold-{uuid.uuid4().hex}"
    asking = asyncio.ensure_future(
        client.post(
            "/v1/audio/speech",
            json=speech_body(LONG_TEXT, stream=False),
            headers={"X-Request-ID": session},
        )
    )
    await asyncio.to_thread(wait_until_held, served.gate)
    await client.post(f"/cancel/{session}")
    response = await asking
    assert (response.status_code, response.content) == (httpx.codes.NO_CONTENT, b"")
    await asyncio.to_thread(release, served.gate)
    await until_idle(client)


async def test_a_disconnect_frees_every_slot(client, served):
    session = f"hold-{uuid.uuid4().hex}"
    request = client.stream(
        "POST", "/v1/audio/speech", json=speech_body(LONG_TEXT), headers={"X-Request-ID": session}
    )
    async with request as response:
        parts = response.aiter_raw()  # without its name it would be closed, and the answer with it
        await anext(parts)
        await asyncio.to_thread(wait_until_held, served.gate)
    await asyncio.to_thread(release, served.gate)
    await until_idle(client)
    steps = await served.t3.session_steps.remote(SessionKey(DEFAULT_TENANT, session))
    # T3 went on while the hang-up travelled to it; the whole segment has about 150 tokens
    assert steps.num_steps <= HOLD_AT + 20
    assert (await client.post(f"/cancel/{session}")).json()["state"] == "already_done"


async def test_a_cancel_before_its_request_wins(client):
    session = uuid.uuid4().hex
    early = await client.post(f"/cancel/{session}")
    assert early.status_code == httpx.codes.NOT_FOUND
    response = await client.post(
        "/v1/audio/speech",
        json=speech_body("Too late.", stream=False),
        headers={"X-Request-ID": session},
    )
    assert response.status_code == httpx.codes.NO_CONTENT


async def test_a_used_session_id_is_refused(client):
    session = uuid.uuid4().hex
    headers = {"X-Request-ID": session}
    await client.post("/v1/audio/speech", json=speech_body("Once."), headers=headers)
    again = await client.post("/v1/audio/speech", json=speech_body("Twice."), headers=headers)
    assert again.status_code == httpx.codes.CONFLICT
    assert again.headers["x-request-id"] == session


async def test_a_text_of_many_segments_is_spoken_to_its_end(client):
    text = " ".join(f"This is sentence number {n}, and it is not short." for n in range(4))
    response = await speak(client, text)
    assert len(response.content) / 2 % SAMPLES_OF_A_TOKEN == 0
    assert len(response.content) / 2 / 24_000 > 7


async def test_a_recorded_voice_is_enrolled_on_first_use(client):
    names = [voice["id"] for voice in (await client.get("/v1/audio/voices")).json()["voices"]]
    assert "recorded" in names
    recorded = await speak(client, "Hello there.", voice="recorded")
    built_in = await speak(client, "Hello there.", voice="ada")
    assert recorded.content != built_in.content


async def test_a_replaced_recording_is_the_new_voice_at_once(client, served):
    before = await speak(client, "Hello there.", voice="recorded")
    record_voice(served.voices, seed=8)  # every process has the old recording's voice in memory
    replaced = await speak(client, "Hello there.", voice="recorded")
    assert replaced.content != before.content


async def test_an_unknown_voice_is_refused_by_name(client):
    response = await client.post("/v1/audio/speech", json=speech_body("Hello.", voice="nobody"))
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


async def test_server_sent_events_carry_the_same_sound_as_raw_audio(client):
    raw = await speak(client, "Hello there.")
    response = await speak(client, "Hello there.", stream_format="sse")
    lines = [line for line in response.text.splitlines() if line]
    *deltas, done = (json.loads(line.removeprefix("data: ")) for line in lines)
    assert {event["type"] for event in deltas} == {"speech.audio.delta"}
    assert done["type"] == "speech.audio.done"
    assert_same_sound(b"".join(base64.b64decode(event["audio"]) for event in deltas), raw.content)


FIRST_AUDIO = [
    "received",
    "claimed",
    "conditioned",
    "queued",
    "prefill",
    "first_token",
    "first_cell",
    "released",
    "first_byte",
    "last_byte",
]


async def test_a_session_report_tells_every_leg(client):
    spoken = await speak(client, "Hello there.")
    told = (await client.get(f"/v1/sessions/{spoken.headers['x-request-id']}")).json()
    assert "last_cell" in told["marks"]  # before the first byte or after it
    assert [mark for mark in told["marks"] if mark != "last_cell"] == FIRST_AUDIO
    assert told["audio_sent_ms"] == len(spoken.content) / 48
    legs = told["legs_ms"]
    before = [legs[name] for name in list(legs)[: list(legs).index("first_audio")]]
    assert len(before) == len(FIRST_AUDIO) - 2
    assert abs(sum(before) - legs["first_audio"]) < 0.01


STOPPED = {"t3_stopped", "vocoder_dropped", "audio_stopped"}
STOPPED_WITHIN_S = 30


@pytest.mark.parametrize("way", ["post", "delete", "disconnect"])
async def test_every_way_to_stop_marks_the_stop_of_each_stage(client, way):
    session = uuid.uuid4().hex
    request = client.stream(
        "POST",
        "/v1/audio/speech",
        json=speech_body(LONG_TEXT * 4),
        headers={"X-Request-ID": session},
    )
    async with request as response:
        parts = response.aiter_raw()  # a name of its own: httpx hangs up when it is collected
        await anext(parts)
        if way == "post":
            ack = await client.post(f"/cancel/{session}")
        elif way == "delete":
            ack = await client.delete(f"/v1/audio/speech/{session}")
    assert way == "disconnect" or ack.json()["state"] in ("stopped", "stopping"), ack.text

    async def report() -> dict[str, Any] | None:
        told = (await client.get(f"/v1/sessions/{session}")).json()
        return told if told["marks"].keys() >= STOPPED else None

    told = await eventually(report, STOPPED_WITHIN_S, f"the session has the marks {STOPPED}")
    assert told["finish"] == "cancelled"
    assert told["steps_after_abort"] <= 1
    assert told["cells_after_abort"] <= 1
    chain = ["last_step", "t3_told"] if told["steps_after_abort"] == 0 else ["t3_told"]
    marks = [told["marks"][name] for name in [*chain, "t3_stopped"]]
    assert marks == sorted(marks)
    if way == "disconnect":  # Ray tells each actor: T3 may stop before the ingress does
        assert "disconnected" in told["marks"]
    else:
        assert told["marks"]["cancel_received"] < told["marks"]["t3_stopped"]


EXPORTED_WITHIN_S = 60  # Ray exports every few seconds


async def test_prometheus_reads_sessions_and_their_legs(client, metrics_port):
    await speak(client, "Hello there.")
    wanted = {
        "ray_chatterbox_sessions_total{": 'finish="',
        "ray_chatterbox_leg_ms_count{": 'leg="first_audio"',
    }
    page = f"http://127.0.0.1:{metrics_port}/metrics"
    async with httpx.AsyncClient(timeout=60) as scraper:  # a page is over a megabyte

        async def all_found() -> bool:
            lines = (await scraper.get(page)).text.splitlines()
            for name, tag in list(wanted.items()):
                found = [line for line in lines if line.startswith(name) and tag in line]
                if any(float(line.split()[-1]) > 0 for line in found):
                    del wanted[name]
            return not wanted

        await eventually(all_found, EXPORTED_WITHIN_S, f"series of {set(wanted)}", every_s=0.5)
