"""A voice of the recorded call, as a client of the realtime session sends it."""

import base64

import numpy as np
import soxr

from benchmarks.recorded_call import RATE, read_call

SENT_RATE = 24_000


def interruption(number, silence_s=1.0):
    """PCM of one that somebody says in the recorded call, and silence behind it."""
    call = read_call()
    moment = call.of_kind("interruption")[number]
    cut = call.cut(moment.began_s, moment.ended_s).astype(np.float32)
    silence = np.zeros(round(silence_s * RATE), np.float32)
    sound = soxr.resample(np.concatenate([cut, silence]), RATE, SENT_RATE)
    return np.clip(sound, -32_768, 32_767).astype("<i2").tobytes()


def spoken_text(number):
    return read_call().of_kind("interruption")[number].text


async def send_voice(client, number, silence_s=1.0):
    """`client`: of tests.support.realtime_client."""
    audio = base64.b64encode(interruption(number, silence_s)).decode()
    await client.send("input_audio_buffer.append", audio=audio)


async def interrupted(client, text):
    """Lets the server say a text, and a voice interrupts it. Returns the events `response.done` and
    `response.interrupted`. The server has no language model: it repeats what it is told."""
    said = {"type": "message", "role": "user"}
    said["content"] = [{"type": "input_text", "text": text}]
    await client.send("conversation.item.create", item=said)
    await client.send("response.create")
    await client.until("response.output_audio.delta")
    await send_voice(client, 2)
    done = await client.last("response.done")
    assert done["response"]["status_details"]["reason"] == "turn_detected"
    return done, await client.last("response.interrupted")
