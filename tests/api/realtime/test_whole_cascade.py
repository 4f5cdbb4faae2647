"""The whole cascade but for the engines: real voices, the real hearing, a real HTTP server as the
language model."""

import asyncio
import base64
import threading

import numpy as np
import pytest
import soxr

from app.conversation.chat_completions import ChatCompletions
from app.hearing_settings import HearingSettings
from app.realtime_settings import LanguageModelSettings
from benchmarks.recorded_call import RATE, read_call
from interop.scripted_llm import REPLY, server
from tests.support.lazy_hearing import LazyHearing
from tests.support.realtime_client import realtime_client

CLIENT_RATE = 24_000
pytestmark = pytest.mark.full  # a recogniser starts, and sound comes as it is spoken


@pytest.fixture
def llm():
    made = server()
    thread = threading.Thread(target=made.serve_forever, daemon=True)
    thread.start()
    yield made
    made.shutdown()
    thread.join(5)
    made.server_close()


def voice(number):
    """Of the recorded call, with silence behind it."""
    call = read_call()
    moment = call.of_kind("interruption")[number]
    cut = call.cut(moment.began_s, moment.ended_s).astype(np.float32)
    sound = soxr.resample(np.concatenate([cut, np.zeros(RATE, np.float32)]), RATE, CLIENT_RATE)
    return moment.text, np.clip(sound, -32_768, 32_767).astype("<i2").tobytes()


async def speak(client, sound):
    size = 2 * CLIENT_RATE // 25
    for at in range(0, len(sound), size):
        part = sound[at : at + size]
        await client.send("input_audio_buffer.append", audio=base64.b64encode(part).decode())
        await asyncio.sleep(0.04)


async def test_a_voice_is_heard_understood_answered_and_interrupts(synthesizer, llm):
    settings = LanguageModelSettings(
        base_url=f"http://127.0.0.1:{llm.server_port}/v1", model="scripted"
    )
    model, hearing = ChatCompletions(settings, None), LazyHearing(HearingSettings())
    synthesizer.hold_at = 1
    async with realtime_client(synthesizer, model=model, hearing=hearing) as client:
        await client.update(audio={"input": {"transcription": {"model": "any"}}})
        text, sound = voice(2)
        speaking = asyncio.ensure_future(speak(client, sound))
        kind = "conversation.item.input_audio_transcription.completed"
        heard = await client.last(kind)
        assert set(heard["transcript"].lower().split()) & set(text.lower().strip(".").split())
        await client.until("response.output_audio.delta")
        await speaking
        synthesizer.hold_at = None
        speaking = asyncio.ensure_future(speak(client, voice(5)[1]))
        interrupted = await client.last("response.interrupted")
        assert interrupted["legs_ms"]["notice"] < 400
        await client.until("response.created")
        done = await client.last("response.done")
        assert done["response"]["output"][0]["content"][0]["transcript"].split() == REPLY.split()
        await speaking
        await asyncio.to_thread(hearing.close)
