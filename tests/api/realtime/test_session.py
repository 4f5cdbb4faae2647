"""The session object, keys, and the end of a session."""

import json

import pytest
import websockets

from app.realtime_settings import RealtimeSettings
from tests.support.api_clients import serving
from tests.support.api_keys import bearer_of, key
from tests.support.eventually import eventually
from tests.support.fakes import FakeSynthesizer
from tests.support.realtime_client import realtime_client, realtime_server

PCM = {"type": "audio/pcm", "rate": 24_000}


@pytest.fixture
async def client(synthesizer):
    async with realtime_client(synthesizer) as client:
        yield client


async def test_the_session_is_told_at_once(client):
    created = client.created
    assert created["type"] == "session.created"
    session = created["session"]
    assert session["object"] == "realtime.session"
    assert session["model"] == "gpt-realtime"
    assert session["audio"]["input"]["format"] == PCM
    assert session["audio"]["output"]["format"] == PCM
    assert session["audio"]["output"]["voice"] == "default"
    assert session["audio"]["input"]["turn_detection"]["type"] == "server_vad"


async def test_an_update_changes_the_fields_that_it_names(client):
    told = await client.update(instructions="Be short.", audio={"output": {"voice": "anna"}})
    session = told["session"]
    assert session["instructions"] == "Be short."
    assert session["audio"]["output"]["voice"] == "anna"
    assert session["audio"]["input"]["turn_detection"]["type"] == "server_vad"
    told = await client.update(audio={"input": {"turn_detection": None}})
    assert told["session"]["audio"]["input"]["turn_detection"] is None
    assert told["session"]["instructions"] == "Be short."


async def test_semantic_turn_detection_is_a_length_of_silence(client):
    turns = {"type": "semantic_vad", "eagerness": "low"}
    told = await client.update(audio={"input": {"turn_detection": turns}})
    assert told["session"]["audio"]["input"]["turn_detection"]["type"] == "semantic_vad"
    assert (await client.ears()).turns.silence_s == 1.2


async def test_the_values_of_server_turn_detection_are_heard_with(client):
    turns = {
        "type": "server_vad",
        "threshold": 0.7,
        "prefix_padding_ms": 100,
        "silence_duration_ms": 250,
    }
    await client.update(audio={"input": {"turn_detection": turns}})
    heard = (await client.ears()).turns
    assert (heard.threshold, heard.prefix_s, heard.silence_s) == (0.7, 0.1, 0.25)


async def test_what_livekit_sends_is_accepted(client):
    told = await client.update(
        type="realtime",
        model="gpt-realtime",
        output_modalities=["audio"],
        audio={
            "input": {
                "format": PCM,
                "noise_reduction": None,
                "transcription": {"model": "gpt-4o-mini-transcribe"},
                "turn_detection": {
                    "type": "semantic_vad",
                    "create_response": True,
                    "eagerness": "medium",
                    "interrupt_response": True,
                },
            },
            "output": {"format": PCM, "speed": 1.0, "voice": "marin"},
        },
        max_output_tokens="inf",
        tool_choice="auto",
        tracing=None,
    )
    assert told["type"] == "session.updated"


@pytest.mark.parametrize(
    ("session", "param"),
    [
        ({"audio": {"input": {"format": {"type": "audio/pcm", "rate": 22_050}}}}, "rate"),
        ({"audio": {"output": {"format": {"type": "audio/mp3"}}}}, "session.audio.output.format"),
        ({"audio": {"output": {"voice": "nobody"}}}, "voice"),
        ({"audio": {"output": {"speed": 9}}}, "speed"),
        ({"audio": {"input": {"turn_detection": {"type": "magic"}}}}, "turn_detection"),
        ({"tools": [{"type": "function", "name": "no spaces"}]}, "tools"),
        ({"output_modalities": ["smell"]}, "output_modalities"),
    ],
)
async def test_a_wrong_value_is_refused_by_name_and_the_session_goes_on(client, session, param):
    refused = await client.update(**session)
    assert refused["type"] == "error"
    assert param in refused["error"]["param"]
    assert (await client.update(instructions="x"))["type"] == "session.updated"


async def test_an_error_names_the_event_that_caused_it(client):
    await client.send("session.update", event_id="mine", session={"tool_choice": 3})
    refused = await client.last("error")
    assert refused["error"]["event_id"] == "mine"


@pytest.mark.parametrize("frame", ["", "{", "[]", '{"type": "magic"}', '{"no": "type"}'])
async def test_a_frame_that_is_no_event_is_an_error(client, frame):
    await client.socket.send(frame)
    assert (await client.last("error"))["error"]["type"] == "invalid_request_error"


async def test_too_many_wrong_events_close_the_socket(synthesizer):
    async with realtime_client(synthesizer, bounds={"max_faults": 2}) as client:
        for _ in range(3):
            await client.send("magic")
        with pytest.raises(websockets.ConnectionClosed):
            await client.until("never")
        assert client.socket.close_code == 1008


async def test_an_event_that_is_too_big_closes_the_socket(synthesizer):
    settings = RealtimeSettings(max_frame_bytes=65_536)
    async with realtime_client(synthesizer, settings=settings) as client:
        await client.send("input_audio_buffer.append", audio="A" * 70_000)
        with pytest.raises(websockets.ConnectionClosed):
            await client.until("never")
        assert client.socket.close_code == 1009


async def test_an_idle_session_is_closed(synthesizer):
    settings = RealtimeSettings(idle_s=0.1)
    async with realtime_client(synthesizer, settings=settings) as client:
        with pytest.raises(websockets.ConnectionClosed):
            await client.until("never")
        assert (client.socket.close_code, client.socket.close_reason) == (1000, "idle")


async def test_a_session_that_lasts_too_long_is_closed(synthesizer):
    settings = RealtimeSettings(session_s=0.1)
    async with realtime_client(synthesizer, settings=settings) as client:
        with pytest.raises(websockets.ConnectionClosed):
            await client.until("never")
        assert client.socket.close_reason == "session_expired"


async def test_a_cancel_of_the_session_from_elsewhere_closes_the_socket(synthesizer):
    async with realtime_client(synthesizer) as client:
        session_id = client.created["session"]["id"]
        group = synthesizer.groups[session_id]
        group.stopped.get_loop().call_soon_threadsafe(group.stopped.set_result, None)
        with pytest.raises(websockets.ConnectionClosed):
            await client.until("never")
        assert client.socket.close_reason == "cancelled"


async def test_a_client_that_leaves_frees_the_hearing(synthesizer):
    async with realtime_client(synthesizer) as client:
        ears = await client.ears()
    await eventually(lambda: ears.is_closed, 5, "the hearing is closed")


async def test_a_server_that_does_not_hear_has_no_such_route(synthesizer):
    with serving(synthesizer) as url, pytest.raises(websockets.InvalidStatus):
        await websockets.connect(f"{url.replace('http', 'ws')}/v1/realtime")


async def test_a_key_is_needed_where_the_server_has_keys():
    keys = (key("secret", "caller"),)
    async with realtime_server(FakeSynthesizer(), keys=keys) as (address, *_):
        with pytest.raises(websockets.InvalidStatus) as refused:
            await websockets.connect(address)
        assert refused.value.response.status_code in (401, 403)
        headers = bearer_of("secret")
        async with websockets.connect(address, additional_headers=headers) as socket:
            assert json.loads(await socket.recv())["type"] == "session.created"


async def test_a_browsers_client_brings_its_key_as_a_subprotocol():
    """As OpenAI's own client does."""
    protocols = ["realtime", "openai-insecure-api-key.secret"]
    keys = (key("secret", "caller"),)
    async with (
        realtime_server(FakeSynthesizer(), keys=keys) as (address, *_),
        websockets.connect(address, subprotocols=protocols) as socket,
    ):
        assert socket.subprotocol == "realtime"
        assert json.loads(await socket.recv())["type"] == "session.created"
