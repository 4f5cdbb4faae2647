"""Speech while it is being written: contexts side by side, stopped one by one."""

import asyncio
import base64
import json
import struct

import numpy as np
import pytest
import websockets

from app.audio import to_s16le
from app.config import Limits, SocketLimits
from app.errors import Overloaded
from tests.api.conftest import serving
from tests.fakes import FakeSynthesizer, tone
from tests.test_formats import decode

FIRST = "This is the first sentence of it all. "
WAIT_S = 10
ENDS = ("done", "cancelled", "error")


class Client:
    """Sends messages; sorts what comes by context."""

    def __init__(self, socket):
        self.socket = socket
        self.streams = {}

    async def send(self, kind, context_id=None, **fields):
        named = {} if context_id is None else {"context_id": context_id}
        await self.socket.send(json.dumps({"type": kind, **named, **fields}))

    async def start(self, context_id="c", **fields):
        await self.send("start", context_id, **{"voice": "default", **fields})

    async def next(self):
        async with asyncio.timeout(WAIT_S):
            frame = await self.socket.recv()
        if isinstance(frame, bytes):
            (number,) = struct.unpack(">I", frame[:4])
            named = {"context_id": self.streams[number], "stream": number}
            return {"type": "audio", **named, "bytes": frame[4:]}
        message = json.loads(frame)
        if message["type"] == "started":
            self.streams[message["stream"]] = message["context_id"]
        if message["type"] == "audio":
            message["bytes"] = base64.b64decode(message["audio"])
        return message

    async def until(self, *kinds, context_id=None):
        """Messages up to the first of these kinds (and this context)."""
        heard = []
        while True:
            heard.append(await self.next())
            mine = context_id in (None, heard[-1].get("context_id"))
            if mine and heard[-1]["type"] in kinds:
                return heard


def audio(messages, context_id="c"):
    mine = [m for m in messages if m["type"] == "audio" and m["context_id"] == context_id]
    return b"".join(message["bytes"] for message in mine)


@pytest.fixture
def synthesizer():
    return FakeSynthesizer()


@pytest.fixture
async def client(synthesizer):
    async with connected(synthesizer) as client:
        yield client


class connected:  # noqa: N801 - reads as a context manager
    def __init__(self, synthesizer, limits=None, **bounds):
        self._serving = serving(synthesizer, limits, sockets=SocketLimits(**bounds))

    async def __aenter__(self):
        url = self._serving.__enter__().replace("http", "ws")
        self._socket = await websockets.connect(f"{url}/v1/audio/speech/stream")
        return Client(self._socket)

    async def __aexit__(self, *fault):
        await self._socket.close()
        self._serving.__exit__(*fault)


@pytest.mark.parametrize("kind", ["base64", "binary"])
async def test_a_text_is_spoken_and_done(client, synthesizer, kind):
    await client.start(audio=kind)
    await client.send("text", "c", text="Hello ")
    await client.send("text", "c", text="there.")
    await client.send("close", "c")
    started, *heard = await client.until("done")
    assert started["type"] == "started"
    assert (started["response_format"], started["sample_rate"]) == ("pcm", 24_000)
    assert audio(heard) == to_s16le(tone(synthesizer.num_samples))
    done = heard[-1]
    assert done["usage"] == {"input_tokens": 12, "output_tokens": 15, "total_tokens": 27}
    assert done["timing"]["audio_ms"] == 600.0
    assert done["finish_reason"] == "stop"
    assert synthesizer.requests[0].segments == ("Hello there.",)


async def test_speech_starts_before_the_text_has_ended(client, synthesizer):
    await client.start()
    await client.send("text", "c", text=FIRST + "And then")
    heard = await client.until("audio")
    assert audio(heard)
    assert synthesizer.requests[0].segments == (FIRST.strip(),)


async def test_text_that_waits_is_spoken_without_its_end(client, synthesizer):
    await client.start(max_buffer_ms=20)
    await client.send("text", "c", text="Let me think")
    await client.until("audio")
    assert synthesizer.requests[0].segments == ("Let me think",)


async def test_flush_speaks_what_has_come_and_says_when_it_was_sent(client, synthesizer):
    await client.start()
    await client.send("text", "c", text="Half a thought")
    await client.send("flush", "c")
    heard = await client.until("flushed")
    assert audio(heard) == to_s16le(tone(synthesizer.num_samples))
    await client.send("text", "c", text="and the rest")
    await client.send("close", "c")
    await client.until("done")
    assert [request.segments[0] for request in synthesizer.requests] == [
        "Half a thought",
        "and the rest",
    ]


@pytest.mark.parametrize("response_format", ["mp3", "opus", "aac", "flac", "wav", "mulaw"])
async def test_every_take_goes_into_one_stream_of_its_format(client, synthesizer, response_format):
    await client.start(response_format=response_format, sample_rate=16_000)
    await client.send("text", "c", text=FIRST + FIRST)
    await client.send("close", "c")
    decoded = decode(response_format, audio(await client.until("done")), 16_000)
    num_takes = len(synthesizer.requests)
    assert num_takes == 2
    expected = num_takes * synthesizer.num_samples * 2 / 3
    assert expected <= len(decoded) <= expected + 3000


async def test_speed_and_pauses_act_here_too(client, synthesizer):
    await client.start(speed=2)
    await client.send("text", "c", text="Hello[pause:1s]there.")
    await client.send("close", "c")
    heard = np.frombuffer(audio(await client.until("done")), "<i2")
    assert abs(len(heard) - (synthesizer.num_samples + 24_000) / 2) < 2048


async def test_contexts_are_spoken_side_by_side(client, synthesizer):
    for name in ("a", "b"):
        await client.start(name, audio="binary" if name == "a" else "base64")
        await client.send("text", name, text=f"Hello {name}.")
    await client.send("close", "b")
    heard = await client.until("done")
    assert heard[-1]["context_id"] == "b"
    await client.send("close", "a")
    heard += await client.until("done")
    whole = to_s16le(tone(synthesizer.num_samples))
    assert audio(heard, "a") == audio(heard, "b") == whole


async def test_a_cancel_is_acknowledged_and_no_sound_follows(client, synthesizer):
    synthesizer.hold_at = 1
    await client.start()
    await client.send("text", "c", text="Hello there.")
    await client.send("flush", "c")
    await client.until("audio")
    await asyncio.to_thread(synthesizer.holding.wait, WAIT_S)
    await client.send("cancel", "c")
    (ack,) = await client.until("cancelled")
    assert (ack["state"], ack["tokens_generated"], ack["audio_sent_ms"]) == ("stopped", 12, 200.0)
    assert ack["stop_ms"] == 1.5
    synthesizer.release()
    await client.send("close")
    with pytest.raises(websockets.ConnectionClosedOK):
        await client.next()
    assert [how for _, how in synthesizer.ended] == ["cancelled"]


async def test_the_next_turn_starts_at_once_by_the_same_name(client, synthesizer):
    synthesizer.hold_at = 1
    await client.start()
    await client.send("text", "c", text="Hello there.")
    await client.send("flush", "c")
    await client.until("audio")
    await asyncio.to_thread(synthesizer.holding.wait, WAIT_S)
    synthesizer.hold_at = None
    await client.send("cancel", "c")
    await client.start()
    await client.send("text", "c", text="The next turn.")
    await client.send("close", "c")
    heard = await client.until("done")
    streams = {message["stream"]: message["type"] for message in heard}
    assert streams == {0: "cancelled", 1: "done"}
    assert audio([m for m in heard if m["stream"] == 1]) == to_s16le(tone(synthesizer.num_samples))


async def test_other_contexts_play_on_through_a_cancel(client, synthesizer):
    synthesizer.hold_at = 1
    for name in ("a", "b"):
        await client.start(name)
        await client.send("text", name, text=f"Hello {name}.")
        await client.send("close", name)
    await client.until("audio", context_id="a")
    await client.send("cancel", "a")
    heard = await client.until("cancelled")
    synthesizer.hold_at = None
    synthesizer.release()
    heard += await client.until("done")
    assert heard[-1]["context_id"] == "b"
    assert not [m for m in heard if m["type"] == "done" and m["context_id"] == "a"]


@pytest.mark.parametrize("name", ["never-started", "c"])
async def test_cancelling_what_is_over_is_no_error(client, name):
    await client.start()
    await client.send("text", "c", text="Hello there.")
    await client.send("close", "c")
    await client.until("done")
    await client.send("cancel", name)
    (ack,) = await client.until("cancelled")
    assert (ack["context_id"], ack["state"]) == (name, "already_done")


async def test_an_idle_context_is_cancelled_too(client):
    await client.start()
    await client.send("cancel", "c")
    assert (await client.until(*ENDS))[-1]["state"] == "stopped"


async def test_closing_the_socket_speaks_what_has_come_first(client, synthesizer):
    await client.start()
    await client.send("text", "c", text="Hello there.")
    await client.send("close")
    heard = await client.until("done")
    assert audio(heard) == to_s16le(tone(synthesizer.num_samples))
    with pytest.raises(websockets.ConnectionClosedOK):
        await client.next()


async def test_a_closing_socket_still_cancels_and_starts_nothing(client, synthesizer):
    synthesizer.hold_at = 1
    await client.start()
    await client.send("text", "c", text="Hello there.")
    await client.send("close")
    await client.until("audio")
    await client.start("d")
    assert (await client.until("error"))[-1]["error"]["param"] == "type"
    await client.send("cancel", "c")
    await client.until("cancelled")
    with pytest.raises(websockets.ConnectionClosedOK):
        await client.next()


async def test_nothing_to_speak_is_done_without_sound(client, synthesizer):
    await client.start()
    await client.send("text", "c", text="... ?!")
    await client.send("close", "c")
    heard = await client.until("done")
    assert heard[-1]["timing"]["audio_ms"] == 0
    assert synthesizer.requests == []


async def test_a_client_that_leaves_stops_everything(synthesizer):
    synthesizer.hold_at = 1
    async with connected(synthesizer) as client:
        await client.start()
        await client.send("text", "c", text="Hello there.")
        await client.send("flush", "c")
        await client.until("audio")
        await asyncio.to_thread(synthesizer.holding.wait, WAIT_S)
        client.socket.transport.abort()
        assert await asyncio.to_thread(synthesizer.closed.wait, WAIT_S)
    assert [how for _, how in synthesizer.ended] == ["closed"]


async def test_a_fault_ends_its_context_alone_and_by_name(client, synthesizer):
    synthesizer.fail_at, synthesizer.fault = 0, Overloaded("no slot is free")
    await client.start()
    await client.send("text", "c", text="Hello there.")
    await client.send("flush", "c")
    heard = await client.until(*ENDS)
    assert (heard[-1]["type"], heard[-1]["error"]["code"]) == ("error", "overloaded")
    synthesizer.fail_at = None
    await client.start()
    await client.send("text", "c", text="Hello again.")
    await client.send("close", "c")
    assert (await client.until(*ENDS))[-1]["type"] == "done"


@pytest.mark.parametrize(
    ("frame", "param", "code"),
    [
        ("{", None, "invalid_json"),
        ("[]", None, "invalid_json"),
        ('{"a": 1, "a": 2}', "a", "invalid_value"),
        ("{}", "type", "invalid_value"),
        ('{"type": 3}', "type", "invalid_value"),
        ('{"type": "speak"}', "type", "invalid_value"),
        ('{"type": "start"}', "context_id", "invalid_value"),
        ('{"type": "start", "context_id": "a b", "voice": "anna"}', "context_id", "invalid_value"),
        ('{"type": "start", "context_id": "d", "voice": "x"}', "voice", "voice_not_found"),
        (
            '{"type": "start", "context_id": "d", "voice": "anna", "model": "x"}',
            "model",
            "model_not_found",
        ),
        (
            '{"type": "start", "context_id": "d", "voice": "anna", "speed": 9}',
            "speed",
            "invalid_value",
        ),
        (
            '{"type": "start", "context_id": "d", "voice": "anna", "instructions": "sadly"}',
            "instructions",
            "unsupported_field",
        ),
        ('{"type": "text", "context_id": "d", "text": "x"}', "context_id", "invalid_value"),
        ('{"type": "text", "context_id": "c", "text": 1}', "text", "invalid_value"),
        ('{"type": "text", "context_id": "c", "text": "x", "y": 1}', "y", "unknown_field"),
        ('{"type": "flush", "context_id": "d"}', "context_id", "invalid_value"),
        ('{"type": "start", "context_id": "c", "voice": "anna"}', "context_id", "invalid_value"),
        (b"\x00\x01", None, "invalid_json"),
    ],
)
async def test_a_wrong_message_is_named_and_the_socket_goes_on(client, frame, param, code):
    await client.start()
    await client.until("started")
    await client.socket.send(frame)
    (fault,) = await client.until("error")
    assert (fault["error"]["param"], fault["error"]["code"]) == (param, code)
    await client.send("text", "c", text="Hello there.")
    await client.send("close", "c")
    assert (await client.until(*ENDS))[-1]["type"] == "done"


async def test_a_closed_context_takes_no_more_text(client, synthesizer):
    synthesizer.hold_at = 0
    await client.start()
    await client.send("text", "c", text="Hello.")
    await client.send("close", "c")
    await client.send("text", "c", text="More.")
    assert (await client.until("error"))[-1]["error"]["param"] == "context_id"
    synthesizer.release()


async def test_contexts_are_limited():
    async with connected(FakeSynthesizer(), max_contexts=2) as client:
        for name in ("a", "b", "c"):
            await client.start(name)
        refused = (await client.until("error"))[-1]
        assert (refused["context_id"], refused["error"]["code"]) == ("c", "too_many_contexts")


async def test_held_text_is_limited_and_room_comes_back(synthesizer):
    synthesizer.hold_at = 0
    async with connected(synthesizer, max_held_chars=100) as client:
        await client.start()
        for _ in range(4):
            await client.send("text", "c", text=FIRST)
        refused = (await client.until("error"))[-1]
        assert refused["error"]["code"] == "buffer_full"
        synthesizer.hold_at = None
        synthesizer.release()
        await client.send("flush", "c")
        await client.until("flushed")
        await client.send("text", "c", text=FIRST)
        await client.send("close", "c")
        assert (await client.until(*ENDS))[-1]["type"] == "done"


async def test_a_frame_that_is_too_big_closes_the_socket():
    async with connected(FakeSynthesizer(), max_frame_bytes=1024) as client:
        await client.start()
        await client.send("text", "c", text="é" * 600)
        with pytest.raises(websockets.ConnectionClosedError) as closed:
            await client.until(*ENDS)
        assert closed.value.rcvd.code == 1009


async def test_who_keeps_sending_wrong_messages_is_shown_out():
    async with connected(FakeSynthesizer(), max_faults=3) as client:
        for _ in range(4):
            await client.socket.send("{")
            assert (await client.next())["type"] == "error"
        with pytest.raises(websockets.ConnectionClosedError) as closed:
            await client.next()
        assert closed.value.rcvd.code == 1008


async def test_an_idle_socket_is_closed_and_one_that_speaks_is_not(synthesizer):
    synthesizer.hold_at = 1
    async with connected(synthesizer, idle_s=0.2) as client:
        await client.start()
        await client.send("text", "c", text="Hello there.")
        await client.send("flush", "c")
        await client.until("audio")
        await asyncio.sleep(0.5)  # longer than idle_s: it is speaking
        synthesizer.release()
        await client.until("flushed")
        with pytest.raises(websockets.ConnectionClosedOK):
            await client.next()


async def test_what_is_not_heard_in_time_is_an_error_of_its_context(synthesizer):
    synthesizer.fail_at, synthesizer.fault = 0, Overloaded("nothing could be heard")
    async with connected(synthesizer, Limits()) as client:
        await client.start()
        await client.send("text", "c", text="Hello there.")
        await client.send("flush", "c")
        assert (await client.until(*ENDS))[-1]["error"]["code"] == "overloaded"


async def test_flushes_that_wait_are_limited(client, synthesizer, monkeypatch):
    monkeypatch.setattr("app.api.speech_context.MAX_ORDERS", 3)
    synthesizer.hold_at = 0
    await client.start()
    await client.send("text", "c", text="Hello there.")
    for _ in range(6):
        await client.send("flush", "c")
    assert (await client.until("error"))[-1]["error"]["code"] == "buffer_full"
    synthesizer.release()


async def test_a_context_that_is_cancelled_before_it_began_is_acknowledged(client):
    for _ in range(50):
        await client.start()
        await client.send("cancel", "c")
    acks = [(await client.until("cancelled"))[-1] for _ in range(50)]
    assert [ack["stream"] for ack in acks] == list(range(50))
