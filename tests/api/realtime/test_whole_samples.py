"""Sound whose events are cut within a sample, and what is refused of it."""

import base64

import pytest

from app.api.realtime.whole_samples import WholeSamples
from app.hearing.ears import SoundFormat
from app.realtime_settings import RealtimeSettings
from tests.support.eventually import eventually
from tests.support.realtime_client import realtime_client

PCM, TELEPHONE = SoundFormat(), SoundFormat("mulaw", 8000)
PUSH_TO_TALK = {"audio": {"input": {"turn_detection": None}}}


async def append(client, sound):
    await client.send("input_audio_buffer.append", audio=base64.b64encode(sound).decode())


async def heard(client, sound):
    calls = client.hearing.calls
    await eventually(lambda: calls and calls[-1].accepted == sound, 5, f"{sound} is heard")


def test_samples_are_whole_wherever_the_sound_is_cut():
    samples = WholeSamples()
    assert [samples.take(part, PCM) for part in (b"a", b"AbB", b"", b"c", b"C")] == [
        *(b"", b"aAbB", b"", b"", b"cC")
    ]


def test_sound_in_another_format_begins_on_a_sample():
    samples = WholeSamples()
    assert samples.take(b"aAb", PCM) == b"aA"
    assert samples.take(b"xyz", TELEPHONE) == b"xyz"
    assert samples.take(b"cC", PCM) == b"cC"


async def test_sound_behind_half_a_sample_that_was_refused_begins_on_a_sample(synthesizer):
    settings = RealtimeSettings(max_behind_s=0.001)  # 24 samples
    async with realtime_client(synthesizer, settings=settings) as client:
        await append(client, b"xX" * 100 + b"a")
        assert (await client.last("error"))["error"]["code"] == "input_audio_too_fast"
        await append(client, b"AbB")
        await heard(client, b"aAbB")


@pytest.mark.parametrize("order", ["commit", "clear"])
async def test_half_a_sample_before_an_order_is_not_heard_with_what_is_said_next(
    synthesizer, order
):
    async with realtime_client(synthesizer) as client:
        await client.update(**PUSH_TO_TALK)
        await append(client, b"aAb")
        await client.send(f"input_audio_buffer.{order}")
        await append(client, b"cC")
        await heard(client, b"aAcC")


async def test_an_order_within_a_stream_of_sound_does_not_shift_it(synthesizer):
    async with realtime_client(synthesizer) as client:
        await append(client, b"aAb")
        await client.send("input_audio_buffer.clear")
        await append(client, b"BcC")
        await heard(client, b"aAbBcC")
