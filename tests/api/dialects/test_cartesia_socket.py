"""Cartesia's socket in the application: a client as Pipecat and LiveKit are."""

import asyncio
import base64

import httpx
import numpy as np
import pytest
import websockets

from app.audio.pcm import to_s16le
from app.config import Limits
from app.errors import Overloaded, SynthesisFailed
from tests.support.fakes import FakeSynthesizer, tone
from tests.support.vendor_sockets import vendor_client

PATH = "/tts/websocket"
SENTENCE = "This is the first sentence of it all."


def generation(text, *, goes_on=True, context_id="c", **changes):
    return {
        "transcript": text,
        "continue": goes_on,
        "context_id": context_id,
        "model_id": "sonic-3.6",
        "voice": {"mode": "id", "id": "default"},
        "output_format": {"container": "raw", "encoding": "pcm_s16le", "sample_rate": 24_000},
        "add_timestamps": True,
        "language": "en",
        "max_buffer_delay_ms": 0,
        **changes,
    }


def is_done(message):
    return message["type"] == "done"


def is_error(message):
    return message["type"] == "error"


def is_chunk(message):
    return message["type"] == "chunk"


def sound(messages, context_id="c"):
    chunks = [m for m in messages if is_chunk(m) and m["context_id"] == context_id]
    return b"".join(base64.b64decode(m["data"]) for m in chunks)


@pytest.fixture
def synthesizer():
    return FakeSynthesizer()


@pytest.fixture
async def client(synthesizer):
    async with vendor_client(synthesizer, PATH) as client:
        yield client


async def test_sentences_are_spoken_whole_and_end_with_done(client, synthesizer):
    await client.send(**generation(SENTENCE))
    await client.send(**generation("And the second."))
    await client.send(**generation("", goes_on=False))
    heard = await client.until(is_done)
    takes = len(synthesizer.requests)
    assert sound(heard) == to_s16le(tone(synthesizer.num_samples)) * takes
    assert {m["context_id"] for m in heard} == {"c"}
    assert [m["done"] for m in heard] == [False] * (len(heard) - 1) + [True]
    said = " ".join(s for request in synthesizer.requests for s in request.segments)
    assert said == f"{SENTENCE} And the second."


async def test_one_message_is_a_whole_context(client, synthesizer):
    await client.send(**generation("Hello there.", goes_on=False))
    assert sound(await client.until(is_done)) == to_s16le(tone(synthesizer.num_samples))


async def test_the_end_of_a_context_that_had_no_text_is_done(client, synthesizer):
    await client.send(**generation(" ", goes_on=False))
    (done,) = await client.until(is_done)
    assert done["context_id"] == "c"
    assert synthesizer.requests == []


async def test_a_cancel_is_answered_with_done_and_nothing_follows(client, synthesizer):
    synthesizer.hold_at = 1
    await client.send(**generation(SENTENCE))
    await client.until(is_chunk)
    await client.send(context_id="c", cancel=True)
    (done,) = await client.until(is_done)
    assert done["context_id"] == "c"
    await client.silent_for(0.2)
    assert [how for _, how in synthesizer.ended] == ["cancelled"]


async def test_the_next_turn_may_use_the_same_id_at_once(client, synthesizer):
    synthesizer.hold_at = 1
    await client.send(**generation(SENTENCE))
    await client.until(is_chunk)
    await client.send(context_id="c", cancel=True)
    synthesizer.hold_at = None
    await client.send(**generation("Hello there.", goes_on=False))
    heard = await client.until(is_done)
    if not sound(heard):  # the cancel was answered before the next turn had come
        heard = await client.until(is_done)
    assert sound(heard) == to_s16le(tone(synthesizer.num_samples))


async def test_a_late_cancel_is_not_answered(client):
    await client.send(**generation("Hello there.", goes_on=False))
    await client.until(is_done)
    await client.send(context_id="c", cancel=True)
    await client.silent_for(0.1)


async def test_a_flush_is_told_and_counted(client):
    await client.send(**generation("Hello there.", flush=True))
    heard = await client.until(lambda m: m["type"] == "flush_done")
    assert heard[-1]["flush_id"] == 1
    assert {m["flush_id"] for m in heard if is_chunk(m)} == {1}
    await client.send(**generation("Once more.", goes_on=False))
    assert {m["flush_id"] for m in await client.until(is_done) if is_chunk(m)} == {2}


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"voice": {"id": "nobody"}}, "voice_not_found"),
        ({"model_id": "other"}, "model_not_found"),
        ({"language": "de"}, "invalid_value"),
        ({"voice": {"mode": "embedding", "embedding": [0.1]}}, "invalid_value"),
        ({"output_format": {"container": "ogg"}}, "invalid_value"),
        ({"transcript": 7}, "invalid_value"),
    ],
)
async def test_a_refused_context_is_told_once_and_its_later_text_is_not_spoken(
    client, synthesizer, changes, code
):
    await client.send(**generation(SENTENCE, **changes) | changes)
    (error,) = await client.until(is_error)
    assert (error["context_id"], error["error_code"], error["done"]) == ("c", code, False)
    assert error["status_code"] in (400, 404)
    if "transcript" not in changes:
        await client.send(**generation("More."))
        await client.send(**generation("", goes_on=False))
    await client.send(**generation("Hello.", goes_on=False, context_id="d"))
    heard = await client.until(lambda m: is_done(m) and m["context_id"] == "d")
    assert not sound(heard, "c")
    assert len(synthesizer.requests) == 1


@pytest.mark.parametrize("frame", ["", "{", "[1]", '{"cancel": true}'])
async def test_a_frame_that_is_no_message_is_told_with_an_empty_id(client, frame):
    await client.socket.send(frame)
    if "cancel" in frame:
        await client.silent_for(0.1)
        return
    (error,) = await client.until(is_error)
    assert error["context_id"] == ""


async def test_a_failed_speech_is_an_error_that_is_not_done(synthesizer):
    synthesizer.fail_at, synthesizer.error = 1, SynthesisFailed("broken")
    async with vendor_client(synthesizer, PATH) as client:
        await client.send(**generation("Hello there.", goes_on=False))
        *_, error, done = await client.until(is_done)
        assert (error["done"], error["status_code"], error["context_id"]) == (False, 500, "c")
        assert done["context_id"] == "c"
        await client.silent_for(0.1)


async def test_an_overload_is_told_as_503(synthesizer):
    synthesizer.fail_at, synthesizer.error = 0, Overloaded("no slot is free")
    async with vendor_client(synthesizer, PATH) as client:
        await client.send(**generation("Hello there.", goes_on=False))
        (error,) = await client.until(is_error)
        assert (error["status_code"], error["error_code"]) == (503, "overloaded")


async def test_a_context_without_a_word_has_a_short_silence(client, synthesizer):
    await client.send(**generation("🙂"))
    await client.send(**generation("", goes_on=False))
    heard = await client.until(is_done)
    assert synthesizer.requests == []
    assert sound(heard) == bytes(round(24_000 * 0.2) * 2)


async def test_late_sound_is_announced_by_silence(synthesizer, monkeypatch):
    monkeypatch.setattr("app.api.gaps.LATE_S", 0.05)
    monkeypatch.setattr("app.api.gaps.LOOK_EVERY_S", 0.01)
    synthesizer.hold_at = 0
    async with vendor_client(synthesizer, PATH) as client:
        await client.send(**generation("Hello there.", goes_on=False))
        (filler,) = await client.until(is_chunk)
        assert base64.b64decode(filler["data"]) == bytes(480 * 2)
        await asyncio.to_thread(synthesizer.wait_until_holding)
        synthesizer.release()
        await client.until(is_done)


async def test_sixty_four_contexts_are_open_at_once(client, synthesizer):
    for number in range(64):
        await client.send(**generation("Hello. ", context_id=f"c{number}"))
    for number in range(64):
        await client.send(**generation("", goes_on=False, context_id=f"c{number}"))
    ended = [
        (await client.until(lambda m: is_done(m) or is_error(m)))[-1]["type"] for _ in range(64)
    ]
    assert ended == ["done"] * 64


async def test_speed_volume_and_language_act(client, synthesizer):
    config = {"speed": 0.5, "volume": 0.5, "emotion": "angry"}
    await client.send(**generation("Hello.", goes_on=False, generation_config=config))
    heard = np.frombuffer(sound(await client.until(is_done)), "<i2")
    assert abs(len(heard) - 2 * synthesizer.num_samples) < 2048
    assert 0.22 < np.abs(heard).max() / 32767 < 0.28


async def test_the_default_of_the_sdk_is_heard(client, synthesizer):
    told = {"container": "raw", "encoding": "pcm_f32le", "sample_rate": 44_100}
    await client.send(**generation("Hello.", goes_on=False, output_format=told))
    heard = np.frombuffer(sound(await client.until(is_done)), "<f4")
    assert abs(len(heard) - synthesizer.num_samples * 44_100 / 24_000) < 64
    assert 0.45 < np.abs(heard).max() < 0.55


async def test_a_cancel_from_elsewhere_is_no_success(synthesizer):
    synthesizer.hold_at = 1
    async with vendor_client(synthesizer, PATH, headers={"X-Request-ID": "sock"}) as client:
        await client.send(**generation(SENTENCE))
        await client.until(is_chunk)
        host, port = client.socket.remote_address[:2]
        async with httpx.AsyncClient(base_url=f"http://{host}:{port}") as other:
            await other.post("/cancel/sock-0-0")
        *_, error = await client.until(is_error)
        assert (error["error_code"], error["done"]) == ("cancelled", False)


async def test_a_dialect_that_is_off_is_not_there(synthesizer):
    with pytest.raises(websockets.InvalidStatus) as refused:
        async with vendor_client(synthesizer, PATH, dialects=()):
            pass
    assert refused.value.response.status_code in (403, 404)


async def test_limits_of_agents_do_not_stop_a_context(synthesizer):
    limits = Limits(profile="agents")
    async with vendor_client(synthesizer, PATH, limits=limits) as client:
        await client.send(**generation("Hello.", goes_on=False))
        assert sound(await client.until(is_done))
