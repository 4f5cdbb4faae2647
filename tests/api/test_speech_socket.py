"""A speech socket: text in pieces, several contexts, cancels."""

import asyncio

import numpy as np
import pytest
import websockets

from app.audio.pcm import to_s16le
from app.core import FinishReason
from app.errors import Overloaded
from tests.support.cutting import Cutting
from tests.support.decoding import decode
from tests.support.fakes import FakeSynthesizer, tone
from tests.support.speech_sockets import ENDS, audio, connected

NUM_DRIPS = 150
CUT = [FinishReason.LENGTH, FinishReason.BABBLE]
FIRST = "This is the first sentence of it all. "


@pytest.fixture
async def client(synthesizer):
    async with connected(synthesizer) as client:
        yield client


@pytest.mark.parametrize("kind", ["base64", "binary"])
async def test_a_text_is_spoken_to_its_end(client, synthesizer, kind):
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


async def test_text_is_spoken_after_max_buffer_ms_without_a_sentence_end(client, synthesizer):
    await client.start(max_buffer_ms=20)
    await client.send("text", "c", text="Let me think")
    await client.until("audio")
    assert synthesizer.requests[0].segments == ("Let me think",)


async def test_max_buffer_ms_counts_from_the_first_waiting_text(client, synthesizer):
    await client.start(max_buffer_ms=100)

    async def drip():
        for _ in range(NUM_DRIPS):
            await client.send("text", "c", text="a")
            await asyncio.sleep(0.02)

    dripping = asyncio.ensure_future(drip())
    try:
        await client.until("audio")
    finally:
        dripping.cancel()
    (spoken,) = synthesizer.requests[0].segments
    assert set(spoken) == {"a"}
    assert len(spoken) < NUM_DRIPS / 2


async def test_a_cancel_does_not_wait_for_text_that_is_being_cut(client, synthesizer, monkeypatch):
    cutting = Cutting(monkeypatch)
    try:
        await client.start()
        await client.send("text", "c", text=FIRST * 40)
        await cutting.begun.wait()
        await client.send("cancel", "c")
        *_, ack = await client.until("cancelled")
        assert not cutting.go.is_set()
        await client.start("d")
        await client.send("text", "d", text="Hello.")
        await client.send("close", "d")
        await client.until("done")
    finally:
        cutting.go.set()
    assert ack["state"] == "stopped"
    assert [request.segments for request in synthesizer.requests] == [("Hello.",)]
    assert cutting.on_loop == [False, True]


async def test_flush_speaks_the_waiting_text_and_is_answered_when_sent(client, synthesizer):
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


class CutFirst(FakeSynthesizer):
    """The first session is cut, the others are whole."""

    def __init__(self, cut):
        self._cut = cut
        super().__init__()

    @property
    def finish(self):
        return self._cut if len(self.requests) == 1 else FinishReason.STOP

    @finish.setter
    def finish(self, _):
        """Decided by the number of sessions."""


@pytest.mark.parametrize("cut", CUT)
async def test_a_context_with_a_take_that_was_cut_says_so_at_its_end(cut):
    """Words are missing, also where the last take was whole."""
    synthesizer = CutFirst(cut)
    async with connected(synthesizer) as client:
        await client.start()
        await client.send("text", "c", text=FIRST + FIRST)
        await client.send("close", "c")
        *_, done = await client.until("done")
    assert len(synthesizer.requests) == 2
    assert done["finish_reason"] == cut.value
    contexts = [group for name, group in synthesizer.groups.items() if name.endswith("-0")]
    assert [context.finish for context in contexts] == [cut]


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


async def test_speed_and_pauses_act_on_a_context(client, synthesizer):
    await client.start(speed=2)
    await client.send("text", "c", text="Hello[pause:1s]there.")
    await client.send("close", "c")
    heard = np.frombuffer(audio(await client.until("done")), "<i2")
    assert abs(len(heard) - (synthesizer.num_samples + 24_000) / 2) < 2048


async def test_two_contexts_are_spoken_at_the_same_time(client, synthesizer):
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


async def test_no_audio_follows_the_acknowledgement_of_a_cancel(client, synthesizer):
    synthesizer.hold_at = 1
    await client.start()
    await client.send("text", "c", text="Hello there.")
    await client.send("flush", "c")
    await client.until("audio")
    await asyncio.to_thread(synthesizer.wait_until_holding)
    await client.send("cancel", "c")
    (ack,) = await client.until("cancelled")
    assert (ack["state"], ack["tokens_generated"], ack["audio_sent_ms"]) == ("stopped", 12, 200.0)
    assert ack["stop_ms"] == 1.5
    synthesizer.release()
    await client.send("close")
    with pytest.raises(websockets.ConnectionClosedOK):
        await client.next()
    assert [how for _, how in synthesizer.ended] == ["cancelled"]


async def test_a_cancelled_context_id_can_be_started_again_at_once(client, synthesizer):
    synthesizer.hold_at = 1
    await client.start()
    await client.send("text", "c", text="Hello there.")
    await client.send("flush", "c")
    await client.until("audio")
    await asyncio.to_thread(synthesizer.wait_until_holding)
    synthesizer.hold_at = None
    await client.send("cancel", "c")
    await client.start()
    await client.send("text", "c", text="The next turn.")
    await client.send("close", "c")
    heard = await client.until("done")
    streams = {message["stream"]: message["type"] for message in heard}
    assert streams == {0: "cancelled", 1: "done"}
    assert audio([m for m in heard if m["stream"] == 1]) == to_s16le(tone(synthesizer.num_samples))


async def test_a_cancel_leaves_other_contexts_alone(client, synthesizer):
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
async def test_cancelling_an_ended_context_says_already_done(client, name):
    await client.start()
    await client.send("text", "c", text="Hello there.")
    await client.send("close", "c")
    await client.until("done")
    await client.send("cancel", name)
    (ack,) = await client.until("cancelled")
    assert (ack["context_id"], ack["state"]) == (name, "already_done")


async def test_an_idle_context_can_be_cancelled(client):
    await client.start()
    await client.send("cancel", "c")
    assert (await client.until(*ENDS))[-1]["state"] == "stopped"


async def test_close_speaks_the_waiting_text_first(client, synthesizer):
    await client.start()
    await client.send("text", "c", text="Hello there.")
    await client.send("close")
    heard = await client.until("done")
    assert audio(heard) == to_s16le(tone(synthesizer.num_samples))
    with pytest.raises(websockets.ConnectionClosedOK):
        await client.next()


async def test_a_closing_socket_cancels_but_starts_nothing(client, synthesizer):
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


async def test_a_text_with_nothing_to_speak_is_done_without_sound(client, synthesizer):
    await client.start()
    await client.send("text", "c", text="... ?!")
    await client.send("close", "c")
    heard = await client.until("done")
    assert heard[-1]["timing"]["audio_ms"] == 0
    assert synthesizer.requests == []


async def test_a_client_that_leaves_ends_its_sessions(synthesizer):
    synthesizer.hold_at = 1
    async with connected(synthesizer) as client:
        await client.start()
        await client.send("text", "c", text="Hello there.")
        await client.send("flush", "c")
        await client.until("audio")
        await asyncio.to_thread(synthesizer.wait_until_holding)
        client.socket.transport.abort()
        await asyncio.to_thread(synthesizer.wait_until_closed)
    assert [how for _, how in synthesizer.ended] == ["closed"]


async def test_an_error_ends_its_own_context_only(client, synthesizer):
    synthesizer.fail_at, synthesizer.error = 0, Overloaded("no slot is free")
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
