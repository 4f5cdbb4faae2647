"""ElevenLabs' routes in the application: a client as Pipecat and LiveKit are, and HTTP."""

import base64
import json

import pytest
import websockets

from app.audio.pcm import to_s16le
from app.errors import SynthesisFailed
from tests.support.api_clients import in_process
from tests.support.decoding import decode
from tests.support.eventually import eventually
from tests.support.fakes import FakeSynthesizer, tone
from tests.support.vendor_sockets import vendor_client

URL = "/v1/text-to-speech/default"
MULTI = (
    f"{URL}/multi-stream-input?model_id=eleven_flash_v2_5&output_format=pcm_24000&auto_mode=true"
)
SENTENCE = "This is the first sentence of it all."
CLOSE = {"context_id": "c", "close_context": True}


def is_final(message):
    return message.get("isFinal") is True


def is_sound(message):
    return bool(message.get("audio"))


def sound(messages):
    return b"".join(base64.b64decode(m["audio"]) for m in messages if is_sound(m))


@pytest.fixture
def synthesizer():
    return FakeSynthesizer()


@pytest.fixture
async def client(synthesizer):
    async with vendor_client(synthesizer, MULTI) as client:
        yield client


async def test_sentences_are_spoken_whole_and_end_with_is_final(client, synthesizer):
    await client.send(text=" ", context_id="c")
    await client.send(text=SENTENCE, context_id="c")
    await client.send(text="And the second.", context_id="c")
    await client.send(context_id="c", flush=True)
    await client.send(**CLOSE)
    heard = await client.until(is_final)
    takes = len(synthesizer.requests)
    assert sound(heard) == to_s16le(tone(synthesizer.num_samples)) * takes
    assert {m["contextId"] for m in heard} == {"c"}
    said = " ".join(s for request in synthesizer.requests for s in request.segments)
    assert said == f"{SENTENCE} And the second."


async def test_the_second_close_stops_the_context_and_nothing_follows(client, synthesizer):
    synthesizer.hold_at = 1
    await client.send(text=SENTENCE, context_id="c")
    await client.send(**CLOSE)
    await client.until(is_sound)
    await client.send(**CLOSE)
    await eventually(lambda: synthesizer.ended, 10, "the session has ended")
    await client.silent_for(0.1)
    assert [how for _, how in synthesizer.ended] == ["cancelled"]


async def test_a_keep_alive_is_not_answered(client):
    await client.send(text="")
    await client.send(text="", context_id="c")
    await client.silent_for(0.1)


async def test_leaving_closes_the_socket_after_what_is_spoken(client, synthesizer):
    await client.send(text=SENTENCE, context_id="c")
    await client.send(close_socket=True)
    assert sound(await client.until(is_final)) == to_s16le(tone(synthesizer.num_samples))
    with pytest.raises(websockets.ConnectionClosedOK):
        await client.next()


async def test_a_failed_speech_is_an_error_with_the_context(synthesizer):
    synthesizer.fail_at, synthesizer.error = 1, SynthesisFailed("broken")
    async with vendor_client(synthesizer, MULTI) as client:
        await client.send(text=SENTENCE, context_id="c")
        await client.send(**CLOSE)
        *_, error = await client.until(lambda m: "error" in m)
        assert (error["error"], error["contextId"]) == ("synthesis_failed", "c")
        await client.silent_for(0.1)


async def test_the_socket_of_one_context_is_closed_after_its_speech(synthesizer):
    path = f"{URL}/stream-input?output_format=mp3_44100_128"
    async with vendor_client(synthesizer, path) as client:
        await client.send(text=" ", try_trigger_generation=True, voice_settings=None)
        await client.send(text="Hello there. ", try_trigger_generation=True)
        await client.send(text="")
        heard = await client.until(is_final)
        with pytest.raises(websockets.ConnectionClosedOK):
            await client.next()
    decoded = decode("mp3", sound(heard), 44_100)
    assert abs(len(decoded) - synthesizer.num_samples * 44_100 / 24_000) < 3500


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/v1/text-to-speech/nobody/multi-stream-input", 404),
        (f"{URL}/multi-stream-input?model_id=other", 404),
        (f"{URL}/stream-input?output_format=flac", 400),
        (f"{URL}/stream-input?language_code=de", 400),
    ],
)
async def test_what_is_not_served_refuses_the_handshake(synthesizer, path, status):
    with pytest.raises(websockets.InvalidStatus) as refused:
        async with vendor_client(synthesizer, path):
            pass
    assert refused.value.response.status_code == status
    assert "detail" in json.loads(refused.value.response.body)


BODY = {"text": "Hello there.", "model_id": "eleven_multilingual_v2", "voice_settings": None}


async def test_a_whole_file_has_the_format_asked_for(synthesizer):
    async with in_process(synthesizer) as client:
        answer = await client.post(f"{URL}?output_format=wav_24000", json=BODY)
    assert answer.headers["content-type"] == "audio/wav"
    assert len(decode("wav", answer.content, 24_000)) == synthesizer.num_samples


async def test_a_stream_is_audio(synthesizer):
    async with in_process(synthesizer) as client:
        answer = await client.post(f"{URL}/stream?output_format=pcm_24000", json=BODY)
    assert answer.headers["content-type"] == "audio/pcm"
    assert answer.content == to_s16le(tone(synthesizer.num_samples))


async def test_timed_lines_have_the_sound(synthesizer):
    url = f"{URL}/stream/with-timestamps?output_format=pcm_24000"
    async with in_process(synthesizer) as client:
        answer = await client.post(url, json=BODY)
    lines = [json.loads(line) for line in answer.text.splitlines()]
    heard = b"".join(base64.b64decode(line["audio_base64"]) for line in lines)
    assert heard == to_s16le(tone(synthesizer.num_samples))
    assert {"alignment", "normalized_alignment"} <= set(lines[0])


async def test_settings_act(synthesizer):
    body = BODY | {"voice_settings": {"speed": 0.5, "stability": 0.3}, "seed": 7}
    async with in_process(synthesizer) as client:
        answer = await client.post(f"{URL}/stream?output_format=pcm_24000", json=body)
    assert abs(len(answer.content) / 2 - 2 * synthesizer.num_samples) < 2048
    assert synthesizer.requests[0].sampling.seed == 7


async def test_voices_are_listed_with_the_fields_that_the_clients_need(synthesizer):
    async with in_process(synthesizer) as client:
        listed = (await client.get("/v1/voices")).json()["voices"]
    told = [(voice["voice_id"], voice["name"], voice["category"]) for voice in listed]
    assert told == [(name, name, "premade") for name in synthesizer.card().voices]


@pytest.mark.parametrize(
    ("voice", "body", "status", "code"),
    [
        ("nobody", BODY, 404, "voice_not_found"),
        ("default", BODY | {"model_id": "other"}, 404, "model_not_found"),
        ("default", {"model_id": "eleven_v2"}, 400, "invalid_value"),
        ("default", BODY | {"text": ""}, 400, "empty_input"),
    ],
)
async def test_a_refusal_has_the_vendors_shape_and_ours(synthesizer, voice, body, status, code):
    async with in_process(synthesizer) as client:
        answer = await client.post(f"/v1/text-to-speech/{voice}", json=body)
    told = answer.json()
    assert (answer.status_code, told["detail"]["status"], told["error"]["code"]) == (
        *(status, code, code),
    )
