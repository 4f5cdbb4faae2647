"""Formats, the socket and API keys through real proxies, with two ingress replicas."""

import asyncio
import base64
import json
import uuid
from contextlib import AsyncExitStack
from typing import Any

import httpx
import numpy as np
import pytest
import websockets

from app.audio.formats import FORMATS
from app.voices.library import FRESH_S
from tests.support.api_keys import bearer_of
from tests.support.decoding import DELAY, FRAME, decode
from tests.support.deployments.served_app import (
    LONG_TEXT,
    client_of,
    speech_body,
    until_idle,
)
from tests.support.eventually import eventually
from tests.support.hostile_uploads import GOOD, encoded

NUM_ASKED = 6  # times, so that both ingresses answer
STOPPED_WITHIN_S = 10
PLAYED_MS = 1100


@pytest.mark.parametrize("response_format", ["mp3", "opus", "aac", "flac", "wav", "mulaw"])
async def test_a_format_decodes_to_the_length_of_the_pcm(served, response_format):
    async with client_of(served.url) as client:
        pcm = await client.post("/v1/audio/speech", json=speech_body("Hello there."))
        coded = await client.post(
            "/v1/audio/speech", json=speech_body("Hello there.", response_format=response_format)
        )
    rate = FORMATS[response_format].default_rate
    decoded = decode(response_format, coded.content, rate)
    expected = len(pcm.content) / 2 * rate / 24_000 + DELAY.get(response_format, 0)
    assert -1 <= len(decoded) - expected <= FRAME.get(response_format, 1)


async def test_a_socket_speaks_after_a_cancel(served):
    url = served.url.replace("http", "ws") + "/v1/audio/speech/stream"
    async with websockets.connect(url) as socket:

        async def send(kind, context_id, **fields):
            await socket.send(json.dumps({"type": kind, "context_id": context_id, **fields}))

        async def until(kind, context_id):
            heard = []
            while not heard or (heard[-1]["type"], heard[-1]["context_id"]) != (kind, context_id):
                async with asyncio.timeout(60):
                    heard.append(json.loads(await socket.recv()))
            return heard

        await send("start", "one", voice="ada", seed=5)
        await send("text", "one", text=LONG_TEXT)
        await send("close", "one")
        await until("audio", "one")
        await send("cancel", "one")
        await send("start", "two", voice="ada", seed=5, max_buffer_ms=0)
        ack = (await until("cancelled", "one"))[-1]
        assert ack["state"] in ("stopping", "stopped")
        await send("text", "two", text="Hello there.")
        await send("close", "two")
        heard = await until("done", "two")
    assert {message["context_id"] for message in heard} == {"two"}
    audio = b"".join(base64.b64decode(m["audio"]) for m in heard if m["type"] == "audio")
    async with client_of(served.url) as client:
        alone = await client.post("/v1/audio/speech", json=speech_body("Hello there."))
        await until_idle(client)
    spoken, plain = (np.frombuffer(pcm, "<i2").astype(int) for pcm in (audio, alone.content))
    assert np.abs(spoken - plain).max() <= 4


async def test_the_limits_of_a_key_hold_over_two_ingresses(keyed):
    async with httpx.AsyncClient(timeout=120) as client:
        refused = await client.post(f"{keyed}/v1/audio/speech", json=speech_body("Hello there."))
        assert refused.status_code == httpx.codes.UNAUTHORIZED
        assert (await client.get(f"{keyed}/health")).status_code == httpx.codes.OK
        client.headers.update(bearer_of("two-at-once"))
        async with AsyncExitStack() as opened:
            body = speech_body(LONG_TEXT)
            sent = [client.stream("POST", f"{keyed}/v1/audio/speech", json=body) for _ in range(8)]
            answers = await asyncio.gather(*map(opened.enter_async_context, sent))
            assert sorted(answer.status_code for answer in answers) == [200] * 2 + [429] * 6
            for answer in answers:
                if answer.is_success:
                    await client.post(f"{keyed}/cancel/{answer.headers['x-request-id']}")
                    await answer.aread()
        again = await client.post(f"{keyed}/v1/audio/speech", json=speech_body("Hello."))
        assert again.status_code == httpx.codes.OK


async def heard_of(client: httpx.AsyncClient, path: str) -> dict[str, Any] | None:
    heard: dict[str, Any] | None = (await client.get(path)).json()["heard"]
    return heard


async def test_a_cancel_at_any_ingress_says_what_was_heard(keyed):
    fields = {"stream_format": "sse", "timestamps": "word"}
    async with httpx.AsyncClient(timeout=120, headers=bearer_of("any-number")) as client:
        for _ in range(NUM_ASKED):
            session = uuid.uuid4().hex
            sound_ms, kinds = 0.0, set()
            request = client.stream(
                "POST",
                f"{keyed}/v1/audio/speech",
                json=speech_body(LONG_TEXT, **fields),
                headers={"X-Request-ID": session},
            )
            async with request as response:
                async for line in response.aiter_lines():
                    event = json.loads(line.removeprefix("data: ") or "{}")
                    kinds.add(event.get("type"))
                    sound_ms += len(base64.b64decode(event.get("audio", ""))) / 48
                    if sound_ms > PLAYED_MS:
                        break
                ack = await client.post(f"{keyed}/cancel/{session}", json={"played_ms": PLAYED_MS})
            assert kinds >= {"speech.audio.words", "speech.audio.delta"}
            path = f"{keyed}/v1/sessions/{session}"
            heard = ack.json()["heard"] or await eventually(
                lambda path=path: heard_of(client, path), STOPPED_WITHIN_S, "what was heard"
            )
            words = (await client.get(f"{path}/words")).json()["words"]
            middles = [(word["start_ms"] + word["end_ms"]) / 2 for word in words]
            last = [
                word for word, middle in zip(words, middles, strict=True) if middle <= PLAYED_MS
            ][-1]
            assert heard["text"] == LONG_TEXT[: last["char_end"]]
            assert heard["audio_ms"] == PLAYED_MS
            assert await heard_of(client, path) == heard


async def test_a_tenant_cannot_cancel_for_another(keyed):
    async with httpx.AsyncClient(timeout=120) as client:
        headers = bearer_of("any-number") | {"X-Request-ID": uuid.uuid4().hex}
        request = client.stream(
            "POST", f"{keyed}/v1/audio/speech", json=speech_body(LONG_TEXT), headers=headers
        )
        async with request as response:
            chunks = response.aiter_raw()
            await anext(chunks)
            url = f"{keyed}/cancel/{headers['X-Request-ID']}"
            foreign = await client.post(url, headers=bearer_of("two-at-once"))
            assert foreign.status_code == httpx.codes.NOT_FOUND
            own = await client.post(url, headers=bearer_of("any-number"))
            assert own.status_code in (200, 202)
            async for _ in chunks:
                pass


async def test_a_stop_of_all_sessions_reaches_both_ingresses(keyed):
    blue, red = bearer_of("any-number"), bearer_of("two-at-once")

    async def num_live(headers):
        async with httpx.AsyncClient(timeout=60) as client:  # a connection of its own
            answer = await client.get(f"{keyed}/api/tts_is_speaking", headers=headers)
        return answer.json()["sessions"]

    async def nothing_of(headers):
        return await num_live(headers) == 0

    async def read(chunks):
        async for _ in chunks:
            pass

    async with client_of(keyed) as client, AsyncExitStack() as open_, asyncio.TaskGroup() as group:

        async def speak(headers):
            body = speech_body(LONG_TEXT * 4)
            stream = client.stream("POST", "/v1/audio/speech", json=body, headers=headers)
            chunks = (await open_.enter_async_context(stream)).aiter_raw()
            await anext(chunks)
            group.create_task(read(chunks))

        for headers in (blue, blue, red):
            await speak(headers)
        assert {await num_live(blue) for _ in range(NUM_ASKED)} == {2}
        stopped = (await client.post("/api/vox_stop", headers=blue)).json()["stopped"]
        assert len(stopped) == 2
        await eventually(lambda: nothing_of(blue), STOPPED_WITHIN_S, "blue is silent")
        assert {await num_live(red) for _ in range(NUM_ASKED)} == {1}
        counts = (await client.post("/v1/admin/stop", headers=bearer_of("stop-all"))).json()
        assert counts["stopped"] + counts["stopping"] == 1
        await eventually(lambda: nothing_of(red), STOPPED_WITHIN_S, "red is silent")


async def test_an_uploaded_voice_speaks_for_its_tenant_until_it_is_deleted(keyed):
    headers = bearer_of("any-number")
    async with client_of(keyed) as client:

        async def upload():
            return await client.post(
                "/v1/audio/voices",
                data={"name": "Ann", "consent": "I agree."},
                files={"audio_sample": ("ann.wav", encoded(GOOD), "audio/wav")},
                headers=headers,
            )

        made = await upload()
        assert made.status_code == httpx.codes.OK, made.text

        async def speak(voice, headers=headers):
            wanted = speech_body("Hello there.", voice=voice)
            return await client.post("/v1/audio/speech", json=wanted, headers=headers)

        by_id, by_name, own = [await speak(v) for v in (made.json()["id"], "Ann", "ada")]
        assert by_id.status_code == httpx.codes.OK, by_id.text
        assert by_id.content == by_name.content != own.content
        for also in await asyncio.gather(*(speak("Ann") for _ in range(4))):  # by both ingresses
            assert also.content == by_id.content
        foreign = await speak("Ann", bearer_of("two-at-once"))
        assert foreign.status_code == httpx.codes.NOT_FOUND
        await client.delete(f"/v1/audio/voices/{made.json()['id']}", headers=headers)
        await asyncio.sleep(FRESH_S)  # the other ingress may use what it read until then
        for _ in range(4):  # over both ingresses
            assert (await speak("Ann")).status_code == httpx.codes.NOT_FOUND
        cloned = await client.post(
            "/v1/audio/speech",
            data={"request": json.dumps(speech_body("Hello there.", voice=None))},
            files={"reference_audio": ("ann.wav", encoded(GOOD), "audio/wav")},
            headers=headers,
        )
        assert cloned.content == by_id.content
        again = (await upload()).json()["id"]  # its conditionals were deleted with the first
        for _ in range(4):
            assert (await speak(again)).content == by_id.content
