"""jambonz's custom text-to-speech: the socket and the POST."""

import io

import av
import pytest
import websockets

from app.audio.pcm import to_s16le
from app.errors import SynthesisFailed
from tests.support.api_clients import in_process
from tests.support.eventually import eventually
from tests.support.fakes import FakeSynthesizer, tone
from tests.support.vendor_sockets import vendor_client

PATH = "/jambonz/synthesize?voice=anna&language=en-US&sampleRate=24000"


def is_sound(message):
    return isinstance(message, bytes)


def is_error(message):
    return not is_sound(message) and message["type"] == "error"


@pytest.fixture
async def client(synthesizer):
    async with vendor_client(synthesizer, PATH) as client:
        connected = await client.next()
        sound = {"sample_rate": 24_000, "base64_encoding": False}
        assert connected == {"type": "connect", "data": sound}
        yield client


async def heard(client, num_bytes):
    told = b""
    while len(told) < num_bytes:
        told += await client.next()
    return told


async def test_text_in_pieces_is_spoken_at_the_flush(client, synthesizer):
    for piece in ("Hel", "lo ", "there"):
        await client.send(type="stream", text=piece)
    await client.send(type="flush")
    expected = to_s16le(tone(synthesizer.num_samples))
    assert await heard(client, len(expected)) == expected
    assert synthesizer.requests[0].segments == ("Hello there",)
    assert synthesizer.requests[0].voice.name == "anna"
    await client.send(type="keepalive")
    await client.silent_for(0.05)


@pytest.mark.parametrize("named", ["type", "command"])
async def test_a_clear_stops_the_speech_and_keeps_the_socket(client, synthesizer, named):
    synthesizer.hold_at = 1
    await client.send(type="stream", text="This is the first sentence of it all.")
    await client.send(type="flush")
    await client.until(is_sound)
    await client.send(**{named: "clear"})
    await eventually(lambda: synthesizer.ended, 10, "the session has ended")
    await client.silent_for(0.1)
    assert [how for _, how in synthesizer.ended] == ["cancelled"]
    synthesizer.hold_at = None
    await client.send(type="stream", text="Hello.")
    await client.send(type="flush")
    await client.until(is_sound)


async def test_a_stop_stops_the_speech_and_closes_the_socket(client, synthesizer):
    synthesizer.hold_at = 1
    await client.send(type="stream", text="This is the first sentence of it all.")
    await client.send(type="flush")
    await client.until(is_sound)
    await client.send(type="stop")
    with pytest.raises(websockets.ConnectionClosedOK):
        await client.next()
    assert [how for _, how in synthesizer.ended] == ["cancelled"]


async def test_what_fails_is_told(synthesizer):
    synthesizer.fail_at, synthesizer.error = 0, SynthesisFailed("broken")
    async with vendor_client(synthesizer, PATH) as client:
        await client.next()
        await client.send(type="sing")
        (error,) = await client.until(is_error)
        assert "type" in error["error"]
        await client.send(type="stream", text="Hello there.")
        await client.send(type="flush")
        (error,) = await client.until(is_error)
        assert error["error"] == "broken"


async def test_a_text_that_is_refused_ends_alone(synthesizer):
    bound = {"max_held_chars": 1000}
    async with vendor_client(synthesizer, PATH, bounds=bound) as client:
        await client.next()
        for text in ("and " * 300, "that is all. "):
            await client.send(type="stream", text=text)
        await client.send(type="flush")
        (error,) = await client.until(is_error)
        assert "the limit is 1000" in error["error"]
        await client.send(type="stream", text="Hello there.")
        await client.send(type="flush")
        expected = to_s16le(tone(synthesizer.num_samples))
        assert await heard(client, len(expected)) == expected
        assert [request.segments for request in synthesizer.requests] == [("Hello there.",)]


@pytest.mark.parametrize(("given", "made"), [("8000", 8000), ("64000", 24_000), ("", 24_000)])
async def test_the_rate_is_that_of_the_call_where_it_can_be_made(synthesizer, given, made):
    path = f"/jambonz/synthesize?sampleRate={given}"
    async with vendor_client(synthesizer, path) as client:
        assert (await client.next())["data"]["sample_rate"] == made


async def test_a_voice_that_does_not_exist_refuses_the_handshake(synthesizer):
    with pytest.raises(websockets.InvalidStatus) as refused:
        async with vendor_client(synthesizer, "/jambonz/synthesize?voice=nobody"):
            pass
    assert refused.value.response.status_code == 404


async def post(body, synthesizer=None):
    async with in_process(synthesizer or FakeSynthesizer()) as client:
        return await client.post("/jambonz/synthesize", json=body)


async def test_a_post_is_answered_with_mp3_as_it_is_made():
    synthesizer = FakeSynthesizer()
    body = {"language": "en-US", "voice": "anna", "type": "ssml"}
    response = await post({**body, "text": "<speak>Hello <b>there</b>.</speak>"}, synthesizer)
    assert response.status_code == 400  # SSML has no such element
    response = await post({**body, "text": "<speak>Hello there.</speak>"}, synthesizer)
    assert response.headers["content-type"] == "audio/mpeg"
    with av.open(io.BytesIO(response.content)) as container:
        (stream,) = container.streams
        assert stream.rate == 24_000
    (request,) = synthesizer.requests
    assert (request.segments, request.is_paced) == (("Hello there.",), False)


async def test_a_post_without_a_text_is_refused():
    assert (await post({"voice": "anna"})).status_code == 400
    assert (await post({"text": "Hello.", "language": "de-DE"})).status_code == 400
