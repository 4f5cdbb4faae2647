"""Word times over the socket: before or with their sound, in the caller's words."""

import json
from contextlib import AsyncExitStack

import httpx
import pytest
import websockets

from app.core import SAMPLE_RATE
from tests.support.api_clients import serving
from tests.support.live_synthesizer import LiveSynthesizer
from tests.support.speech_sockets import Client, connected
from tests.support.timed_text import HEARD, TEXT, TIMES, TOLD, synthesizer, told

SOCKET_TEXT = f"  {TEXT}"


async def say(client, text=SOCKET_TEXT, context_id="c", **fields):
    await client.start(context_id, timestamps="word", normalise="on", **fields)
    await client.send("text", context_id, text=text)
    await client.send("close", context_id)
    return await client.until("done", context_id=context_id)


async def test_the_socket_tells_words_before_their_sound():
    async with connected(synthesizer()) as client:
        messages = await say(client)
    sound_ms, words = 0.0, []
    for message in messages:
        if message["type"] == "words":
            words += message["words"]
            assert message["estimated"] is False
            assert all(word["start_ms"] >= sound_ms for word in message["words"])
        elif message["type"] == "audio":
            sound_ms += len(message["bytes"]) / 2 / SAMPLE_RATE * 1e3
    assert told(words) == [(t, a + 2, b + 2, start, end) for t, a, b, start, end in TOLD]


async def test_the_words_of_later_takes_follow_in_the_same_text_and_sound():
    text = "It costs five dollars today.  And it costs five dollars more now. Yes."
    async with connected(synthesizer()) as client:
        messages = await say(client, text)
    words = [word for m in messages if m["type"] == "words" for word in m["words"]]
    assert all(text[word["char_start"] : word["char_end"]] == word["text"] for word in words)
    assert [word["char_start"] for word in words] == sorted(word["char_start"] for word in words)
    second = next(word for word in words if word["text"] == "And")
    assert second["start_ms"] == 640  # the first take has 600 ms


async def test_a_cancel_over_the_socket_says_what_was_heard():
    async with connected(synthesizer(num_chunks=200)) as client:
        await client.start(timestamps="word")
        await client.send("text", "c", text=TEXT)
        await client.send("flush", "c")
        while len(await client.until("audio")) == 0:
            pass
        for _ in range(4):
            await client.until("audio")
        await client.send("cancel", "c", played_ms=300)
        [*_, ack] = await client.until("cancelled")
    assert ack["heard"] == {**HEARD, "audio_ms": 300.0}


async def test_every_cancel_of_a_context_says_what_the_first_said():
    async with connected(synthesizer(num_chunks=200)) as client:
        await client.start(timestamps="word")
        await client.send("text", "c", text=TEXT)
        await client.send("flush", "c")
        for _ in range(4):
            await client.until("audio")
        for played_ms in (300, 500, 0):  # the second comes before the first is answered
            await client.send("cancel", "c", played_ms=played_ms)
        acks = [(await client.until("cancelled"))[-1] for _ in range(3)]
        await client.send("cancel", "c", played_ms=500)
        acks += (await client.until("cancelled"))[-1:]
    assert [ack["heard"] for ack in acks] == [{**HEARD, "audio_ms": 300.0}] * 4


async def test_a_context_that_is_cancelled_before_its_first_sound_was_not_heard():
    async with connected(LiveSynthesizer(3, 5.0, words=TIMES)) as client:
        await client.start(timestamps="word")
        await client.send("cancel", "c", played_ms=300)
        [*_, before_text] = await client.until("cancelled")
        await client.start(timestamps="word")
        await client.send("text", "c", text=TEXT)
        await client.send("flush", "c")
        await client.send("cancel", "c", played_ms=300)
        [*_, before_sound] = await client.until("cancelled")
    nothing = {"text": "", "last_word": None, "char_end": 0, "audio_ms": 0.0, "is_estimate": False}
    assert before_text["heard"] == before_sound["heard"] == nothing


@pytest.mark.parametrize("played_ms", [-1, "200", 1e300, float("nan"), True, [], 10**400])
async def test_a_wrong_playout_clock_stops_no_context(played_ms):
    async with connected(synthesizer()) as client:
        await client.start(timestamps="word")
        await client.send("cancel", "c", played_ms=played_ms)
        [*_, refused] = await client.until("error")
        await client.send("text", "c", text=TEXT)
        await client.send("close", "c")
        [*_, done] = await client.until("done")
    assert refused["error"]["param"] == "played_ms"
    assert done["finish_reason"] == "stop"


async def test_a_context_that_was_sent_to_its_end_is_cut_where_its_client_stopped_playing():
    async with connected(synthesizer()) as client:
        await say(client)
        await client.send("cancel", "c", played_ms=200)
        [*_, ack] = await client.until("cancelled")
    assert ack["state"] == "already_done"
    assert ack["heard"]["text"] == f"  {HEARD['text']}"


async def test_all_of_a_faster_context_was_sent():
    async with connected(synthesizer()) as client:
        await say(client, speed=2.0)
        await client.send("cancel", "c")
        [*_, ack] = await client.until("cancelled")
    assert ack["heard"]["text"] == SOCKET_TEXT
    assert ack["heard"]["audio_ms"] == 300


async def test_a_cancel_of_no_context_heard_nothing():
    async with connected(synthesizer()) as client:
        await client.send("cancel", "c", played_ms=200)
        [*_, ack] = await client.until("cancelled")
        await client.send("cancel", "c", played_ms=-1)
        [*_, refused] = await client.until("error")
    assert ack["heard"] is None
    assert refused["error"]["param"] == "played_ms"


async def test_a_socket_refuses_other_timestamps():
    async with connected(synthesizer()) as client:
        await client.start(timestamps="char")
        [*_, refused] = await client.until("error")
    assert json.dumps(refused["error"]["param"]) == '"timestamps"'


async def test_a_cancel_of_a_context_from_elsewhere_says_what_was_heard():
    async with AsyncExitStack() as stack:
        url = stack.enter_context(serving(synthesizer(num_chunks=200)))
        address = f"{url.replace('http', 'ws')}/v1/audio/speech/stream"
        connecting = websockets.connect(address, additional_headers={"X-Request-ID": "sock"})
        client = Client(await stack.enter_async_context(connecting))
        await client.start()
        await client.send("text", "c", text=TEXT)
        await client.send("flush", "c")
        for _ in range(4):
            await client.until("audio")
        async with httpx.AsyncClient(base_url=url) as other:
            ack = (await other.post("/cancel/sock-0", json={"played_ms": 300})).json()
            [*_, done] = await client.until("done")
            report = (await other.get("/v1/sessions/sock-0")).json()
            words = (await other.get("/v1/sessions/sock-0/words")).json()["words"]
    assert done["finish_reason"] == "cancelled"
    assert ack["heard"] == report["heard"] == {**HEARD, "audio_ms": 300.0}
    assert told(words) == TOLD
