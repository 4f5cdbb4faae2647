"""Deepgram's socket and POST in the application: clients as Pipecat and LiveKit are."""

import json

import httpx
import numpy as np
import pytest
import websockets

from app.audio.pcm import to_s16le
from app.errors import SynthesisFailed
from tests.support.api_clients import in_process
from tests.support.fakes import FakeSynthesizer, tone
from tests.support.vendor_sockets import vendor_client

PATH = "/v1/speak?encoding=linear16&model=anna&sample_rate=24000&mip_opt_out=false"
SENTENCE = "This is the first sentence of it all. "


def is_flushed(message):
    return not isinstance(message, bytes) and message["type"] == "Flushed"


def is_sound(message):
    return isinstance(message, bytes)


def is_kind(kind):
    return lambda message: not isinstance(message, bytes) and message["type"] == kind


def sound(messages):
    return b"".join(filter(is_sound, messages))


async def speak(client, text):
    """One word a message, as LiveKit sends it."""
    for word in text.split():
        await client.send(type="Speak", text=f"{word} ")
    await client.send(type="Flush")


@pytest.fixture
async def client(synthesizer):
    async with vendor_client(synthesizer, PATH) as client:
        metadata = await client.next()
        assert (metadata["type"], metadata["model_name"]) == ("Metadata", "anna")
        yield client


async def test_words_are_spoken_whole_and_flushed(client, synthesizer):
    await speak(client, SENTENCE + "And the second.")
    heard = await client.until(is_flushed)
    takes = len(synthesizer.requests)
    assert sound(heard) == to_s16le(tone(synthesizer.num_samples)) * takes
    assert heard[-1]["sequence_id"] == 0
    said = " ".join(s for request in synthesizer.requests for s in request.segments)
    assert said == f"{SENTENCE}And the second."


async def test_turns_are_spoken_one_after_the_other(client, synthesizer):
    await speak(client, "Hello there.")
    await speak(client, "Once more.")
    for number in range(2):
        heard = await client.until(is_flushed)
        assert sound(heard) == to_s16le(tone(synthesizer.num_samples))
        assert heard[-1]["sequence_id"] == number


async def test_a_clear_is_answered_with_cleared_and_nothing_follows(client, synthesizer):
    synthesizer.hold_at = 1
    await speak(client, SENTENCE)
    await client.until(is_sound)
    await client.send(type="Clear")
    (cleared,) = await client.until(is_kind("Cleared"))
    assert cleared["sequence_id"] == 0
    await client.silent_for(0.2)
    assert [how for _, how in synthesizer.ended] == ["cancelled"]
    synthesizer.hold_at = None
    await speak(client, "Hello there.")
    assert sound(await client.until(is_flushed)) == to_s16le(tone(synthesizer.num_samples))


async def test_a_close_drops_the_rest_and_closes_the_socket(client, synthesizer):
    synthesizer.hold_at = 1
    await speak(client, SENTENCE)
    await client.until(is_sound)
    await client.send(type="Flush")
    await client.send(type="Close")
    with pytest.raises(websockets.ConnectionClosedOK) as closed:
        await client.until(is_flushed)
    assert closed.value.rcvd.code == 1000
    assert [how for _, how in synthesizer.ended] == ["cancelled"]


async def test_the_last_samples_of_a_turn_come_before_its_end():
    synthesizer = FakeSynthesizer()
    async with vendor_client(synthesizer, "/v1/speak?encoding=mulaw&sample_rate=8000") as client:
        for _ in range(2):
            await speak(client, "Hello there.")
            heard = sound(await client.until(is_flushed))
            assert len(heard) == synthesizer.num_samples // 3


async def test_a_speech_that_fails_is_an_error_and_has_no_end(synthesizer):
    synthesizer.fail_at, synthesizer.error = 1, SynthesisFailed("broken")
    async with vendor_client(synthesizer, PATH) as client:
        await speak(client, SENTENCE)
        *_, error = await client.until(is_kind("Error"))
        assert (error["err_code"], error["err_msg"]) == ("synthesis_failed", "broken")
        await client.silent_for(0.1)
        synthesizer.fail_at = None
        await speak(client, "Hello there.")
        assert sound(await client.until(is_flushed))


async def test_a_text_that_is_refused_ends_alone(synthesizer):
    bound = {"max_held_chars": 1000}
    async with vendor_client(synthesizer, PATH, bounds=bound) as client:
        await client.send(type="Speak", text="and " * 300)
        await client.send(type="Speak", text="that is all. ")
        (*_, refusal) = await client.until(is_kind("Error"))
        assert refusal["err_code"] == "buffer_full"
        await client.send(type="Flush")
        await speak(client, "Hello there.")
        assert sound(await client.until(is_flushed)) == to_s16le(tone(synthesizer.num_samples))
        assert [request.segments for request in synthesizer.requests] == [("Hello there.",)]


async def test_a_wrong_message_is_a_warning_and_everything_goes_on(client):
    await client.send(type="Whisper")
    (warning,) = await client.until(is_kind("Warning"))
    assert "type" in warning["warn_msg"]
    await speak(client, "Hello there.")
    assert sound(await client.until(is_flushed))


@pytest.mark.parametrize(
    ("query", "status", "code"),
    [
        ("model=nobody", 404, "voice_not_found"),
        ("model=anna&encoding=mp3", 400, "invalid_value"),
    ],
)
async def test_the_handshake_is_refused_with_the_reason(synthesizer, query, status, code):
    with pytest.raises(websockets.InvalidStatus) as refused:
        async with vendor_client(synthesizer, f"/v1/speak?{query}"):
            pass
    response = refused.value.response
    assert (response.status_code, json.loads(response.body)["err_code"]) == (status, code)


async def test_one_id_stops_the_speech_from_elsewhere_and_that_is_no_success(synthesizer):
    synthesizer.hold_at = 1
    async with vendor_client(synthesizer, PATH, headers={"X-Request-ID": "sock"}) as client:
        await speak(client, SENTENCE)
        await client.until(is_sound)
        host, port = client.socket.remote_address[:2]
        async with httpx.AsyncClient(base_url=f"http://{host}:{port}") as other:
            await other.post("/cancel/sock-0-0")
        *_, error = await client.until(is_kind("Error"))
        assert error["err_code"] == "cancelled"


async def post(query="", body=None, synthesizer=None):
    async with in_process(synthesizer or FakeSynthesizer()) as client:
        return await client.post(f"/v1/speak{query}", json=body or {"text": "Hello there."})


async def test_a_post_has_the_sound_as_it_is_made():
    synthesizer = FakeSynthesizer()
    query = "?encoding=linear16&container=none&model=anna&sample_rate=24000&mip_opt_out=false"
    response = await post(query, synthesizer=synthesizer)
    assert response.status_code == 200
    heard = np.frombuffer(response.content, "<i2")
    assert len(heard) == synthesizer.num_samples
    (request,) = synthesizer.requests
    assert (request.voice.name, request.is_paced) == ("anna", False)
    assert response.headers["dg-request-id"] == response.headers["x-request-id"]


@pytest.mark.parametrize(
    ("query", "body", "status", "code"),
    [
        ("", {"txt": "Hello."}, 400, "invalid_value"),
        ("?model=nobody", None, 404, "voice_not_found"),
        ("?encoding=mp4", None, 400, "invalid_value"),
    ],
)
async def test_a_refused_post_has_the_fields_of_deepgram(query, body, status, code):
    response = await post(query, body)
    assert (response.status_code, response.json()["err_code"]) == (status, code)
    assert response.json()["err_msg"]
