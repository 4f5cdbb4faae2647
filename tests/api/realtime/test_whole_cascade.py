"""The whole cascade but for the engines: real voices, the real hearing, a real HTTP server as the
language model."""

import asyncio
import base64
import threading

import pytest

from app.conversation.chat_completions import ChatCompletions
from app.hearing_settings import HearingSettings
from app.realtime_settings import LanguageModelSettings, RealtimeSettings
from app.sessions.tasks import cancel_and_wait
from interop.scripted_llm import REPLY, server
from tests.support.lazy_hearing import LazyHearing
from tests.support.realtime_client import realtime_client
from tests.support.recorded_voice import SENT_RATE, interruption, spoken_text

COMPLETED = "conversation.item.input_audio_transcription.completed"
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


async def speak(client, sound, speed=1):
    """At most at this multiple of real time."""
    size = 2 * SENT_RATE // 25 * speed
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
        text, sound = spoken_text(2), interruption(2)
        speaking = asyncio.ensure_future(speak(client, sound))
        heard = await client.last(COMPLETED)
        assert set(heard["transcript"].lower().split()) & set(text.lower().strip(".").split())
        await client.until("response.output_audio.delta")
        await speaking
        synthesizer.hold_at = None
        speaking = asyncio.ensure_future(speak(client, interruption(5)))
        interrupted = await client.last("response.interrupted")
        assert interrupted["legs_ms"]["notice"] >= 0
        await client.until("response.created")
        done = await client.last("response.done")
        assert done["response"]["output"][0]["content"][0]["transcript"].split() == REPLY.split()
        await speaking
        await asyncio.to_thread(hearing.close)


async def test_sound_at_ten_times_its_speed_is_refused_and_the_next_utterance_is_heard(synthesizer):
    settings, hearing = RealtimeSettings(max_behind_s=4), LazyHearing(HearingSettings())
    bounds = {"max_faults": 10_000}  # else who goes on like this is closed
    heard = {
        "transcription": {"model": "any"},
        "turn_detection": {"type": "server_vad", "create_response": False},
    }
    options = {"hearing": hearing, "settings": settings, "bounds": bounds}
    async with realtime_client(synthesizer, **options) as client:
        await client.update(audio={"input": heard})
        speaking = asyncio.ensure_future(speak(client, interruption(2) * 20, speed=10))
        assert (await client.last("error"))["error"]["code"] == "input_audio_too_fast"
        await cancel_and_wait(speaking)
        await asyncio.sleep(1)  # a second of the clock, in which no sound comes
        text, sound = spoken_text(5), interruption(5)
        speaking = asyncio.ensure_future(speak(client, bytes(2 * SENT_RATE) + sound))
        words = set(text.lower().strip(".").split())
        while not words & set((await client.last(COMPLETED))["transcript"].lower().split()):
            pass  # an utterance of the fast sound
        await speaking
        await asyncio.to_thread(hearing.close)
