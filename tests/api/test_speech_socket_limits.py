"""The limits of a speech socket, and invalid messages."""

import asyncio

import pytest
import websockets

from app.config import Limits
from app.errors import Overloaded
from tests.support.eventually import eventually
from tests.support.fakes import FakeSynthesizer
from tests.support.speech_sockets import ENDS, connected

pytestmark = pytest.mark.full  # seconds in all

FIRST = "This is the first sentence of it all. "


@pytest.fixture
async def client(synthesizer):
    async with connected(synthesizer) as client:
        yield client


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
async def test_an_invalid_message_is_answered_and_the_socket_goes_on(client, frame, param, code):
    await client.start()
    await client.until("started")
    await client.socket.send(frame)
    (error,) = await client.until("error")
    assert (error["error"]["param"], error["error"]["code"]) == (param, code)
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


async def test_max_contexts_is_kept():
    async with connected(FakeSynthesizer(), max_contexts=2) as client:
        for name in ("a", "b", "c"):
            await client.start(name)
        refused = (await client.until("error"))[-1]
        assert (refused["context_id"], refused["error"]["code"]) == ("c", "too_many_contexts")


async def test_max_held_chars_counts_waiting_text_only(synthesizer):
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


async def test_too_many_invalid_messages_close_the_socket():
    async with connected(FakeSynthesizer(), max_faults=3) as client:
        for _ in range(4):
            await client.socket.send("{")
            assert (await client.next())["type"] == "error"
        with pytest.raises(websockets.ConnectionClosedError) as closed:
            await client.next()
        assert closed.value.rcvd.code == 1008


async def test_idle_s_closes_a_socket_that_does_not_speak(synthesizer):
    synthesizer.hold_at = 1
    async with connected(synthesizer, idle_s=1) as client:
        await client.start()
        await client.send("text", "c", text="Hello there.")
        await client.send("flush", "c")
        await client.until("audio")
        await asyncio.sleep(1.2)  # longer than idle_s: it is speaking
        synthesizer.release()
        await client.until("flushed")
        with pytest.raises(websockets.ConnectionClosedOK):
            await client.next()


async def test_a_cancel_of_an_unknown_context_does_not_keep_a_socket_open(synthesizer):
    async with connected(synthesizer, idle_s=0.5) as client:

        async def is_closed():
            try:
                await client.send("cancel", "nobody")
                await client.until("cancelled")
            except websockets.ConnectionClosedOK as closed:
                return closed.rcvd.reason == "idle"

        await eventually(is_closed, 10, "the socket is closed as idle", every_s=0.05)


async def test_messages_that_are_of_use_keep_a_socket_open(synthesizer):
    async with connected(synthesizer, idle_s=1.5) as client:
        for _ in range(4):
            await client.start()
            await client.send("cancel", "c")
            await client.until("cancelled")
            await asyncio.sleep(0.4)


async def test_an_idle_socket_that_answers_pings_lives_as_long_as_configured(synthesizer):
    async with connected(synthesizer, idle_s=300) as client:
        for _ in range(3):
            await (await client.socket.ping())
        await client.start()
        await client.until("started")


async def test_overload_is_an_error_of_its_context(synthesizer):
    synthesizer.fail_at, synthesizer.error = 0, Overloaded("no sound could be made")
    async with connected(synthesizer, Limits()) as client:
        await client.start()
        await client.send("text", "c", text="Hello there.")
        await client.send("flush", "c")
        assert (await client.until(*ENDS))[-1]["error"]["code"] == "overloaded"


async def test_waiting_flushes_are_limited(client, synthesizer, monkeypatch):
    monkeypatch.setattr("app.api.context_text.MAX_ORDERS", 3)
    synthesizer.hold_at = 0
    await client.start()
    await client.send("text", "c", text="Hello there.")
    for _ in range(6):
        await client.send("flush", "c")
    assert (await client.until("error"))[-1]["error"]["code"] == "buffer_full"
    synthesizer.release()


async def test_a_cancel_right_after_a_start_is_acknowledged(client):
    for _ in range(50):
        await client.start()
        await client.send("cancel", "c")
    acks = [(await client.until("cancelled"))[-1] for _ in range(50)]
    assert [ack["stream"] for ack in acks] == list(range(50))
