"""Speech in which a limit or a guard ended a segment: its clients hear what was made of it, and are
told that words may be missing."""

import asyncio
import base64
import json

import httpx
import pytest
import websockets
from websockets.exceptions import ConnectionClosed

from app.api.dialects.cartesia import Cartesia
from app.api.dialects.cut_speech import cut_of
from app.api.dialects.deepgram import Deepgram
from app.api.dialects.deepgram_fields import socket_opening
from app.api.dialects.dialect import ServerMessage
from app.audio.pcm import to_s16le
from app.core import FinishReason
from tests.support.api_clients import in_process, serving
from tests.support.dialect_socket import DialectSocket
from tests.support.fakes import FakeSynthesizer, tone

MULTI = "/v1/text-to-speech/anna/multi-stream-input?output_format=pcm_24000&auto_mode=true"
SINGLE = "/v1/text-to-speech/anna/stream-input?output_format=pcm_24000&auto_mode=true"
CARTESIA = {"transcript": "Hello there.", "voice": "anna", "context_id": "c", "continue": False}
FRAMES = {
    "/tts/websocket": [CARTESIA],
    MULTI: [
        {"text": "Hello there.", "context_id": "c"},
        {"context_id": "c", "close_context": True},
    ],
    SINGLE: [{"text": "Hello there."}, {"text": ""}],
    "/v1/speak": [{"type": "Speak", "text": "Hello there."}, {"type": "Flush"}],
    "/jambonz/synthesize": [{"type": "stream", "text": "Hello there."}, {"type": "flush"}],
}
# The messages behind the last sound.
TOLD = {
    "/tts/websocket": ["error", "done"],
    MULTI: ["isFinal", "error"],
    SINGLE: ["error"],  # and the socket is closed with 1011
    "/v1/speak": ["Warning", "Flushed"],
    "/jambonz/synthesize": ["error"],
}
WHOLE = {
    "/tts/websocket": ["done"],
    MULTI: ["isFinal"],
    SINGLE: ["isFinal"],
    "/v1/speak": ["Flushed"],
}
CUTS = pytest.mark.parametrize("finish", [FinishReason.LENGTH, FinishReason.BABBLE])
WAIT_S = 30
LOST = 480 * 2 * 13  # silence before Cartesia's error: LiveKit throws its last sound away


def kind_of(message):
    if "type" in message:
        return message["type"]
    return "error" if "error" in message else "isFinal" if message.get("isFinal") else "audio"


def sound_of(frame):
    if isinstance(frame, bytes):
        return frame
    message = json.loads(frame)
    sound = message.get("audio") or message.get("data")
    return base64.b64decode(sound) if isinstance(sound, str) else b""


def is_last(frame, last):
    return isinstance(frame, str) and kind_of(json.loads(frame)) == last


async def spoken(path, finish, last):
    """The frames of the server, and the code with which it closed the socket, if it did."""
    frames = []
    with serving(FakeSynthesizer(finish=finish)) as url:
        address = url.replace("http", "ws") + path
        async with websockets.connect(address) as socket:
            for frame in FRAMES[path]:
                await socket.send(json.dumps(frame))
            try:
                async with asyncio.timeout(WAIT_S):
                    while not (frames and is_last(frames[-1], last)):
                        frames.append(await socket.recv())
                    if path == SINGLE:
                        await socket.recv()
            except ConnectionClosed:
                pass
            return frames, socket.close_code


def told_after(frames):
    """The messages behind the last sound, without the rest of an alignment."""
    heard = [number for number, frame in enumerate(frames) if sound_of(frame)]
    told = [json.loads(frame) for frame in frames[heard[-1] + 1 :]]
    return [message for message in told if kind_of(message) != "audio"]


@CUTS
@pytest.mark.parametrize("path", FRAMES)
async def test_a_cut_speech_is_heard_and_then_told(path, finish):
    frames, code = await spoken(path, finish, TOLD[path][-1])
    silence = bytes(LOST) if path == "/tts/websocket" else b""
    sound = to_s16le(tone(FakeSynthesizer().num_samples)) + silence
    assert b"".join(map(sound_of, frames)) == sound
    told = told_after(frames)
    assert [kind_of(message) for message in told] == TOLD[path]
    assert "words may be missing" in json.dumps(told)
    assert (code == 1011) is (path == SINGLE)


@pytest.mark.parametrize("path", WHOLE)
async def test_a_whole_speech_ends_without_an_error(path):
    frames, code = await spoken(path, FinishReason.STOP, WHOLE[path][-1])
    told = told_after(frames)
    assert [kind_of(message) for message in told] == WHOLE[path]
    assert code in ((1000,) if path == SINGLE else (None, 1000))


@CUTS
def test_cartesias_own_sdk_gets_no_end_behind_the_error(finish):
    wire = DialectSocket(Cartesia((), is_sdk=True))
    wire.receives(CARTESIA)
    wire.speaks("c0")
    wire.ends("c0", finish)
    *_, error = wire.taken()
    assert (error["type"], error["done"], error["error_code"]) == ("error", False, "speech_cut")


@CUTS
def test_the_warning_of_a_cut_turn_has_the_fields_that_both_frameworks_read(finish):
    dialect = Deepgram(socket_opening({}, "anna", ()))
    for frame in FRAMES["/v1/speak"]:
        list(dialect.read(json.dumps(frame)))
    dialect.write(ServerMessage("audio", "c0", 0, sound=b"ab"))
    told = dialect.write(ServerMessage("flushed", "c0", 0, {"finish_reason": finish}))
    warning, flushed = map(json.loads, told)
    assert warning["warn_msg"] == warning["description"]
    assert (warning["code"], flushed["type"]) == ("speech_cut", "Flushed")


@pytest.mark.parametrize("finish", FinishReason)
def test_the_finishes_that_are_told_are_those_that_miss_words(finish):
    told = cut_of(ServerMessage("done", "c0", 0, {"finish_reason": finish}))
    assert (told is not None) is (finish in (FinishReason.LENGTH, FinishReason.BABBLE))


async def answer_of(path, body, finish):
    async with in_process(FakeSynthesizer(finish=finish)) as client:
        answer = await client.post(path, json=body)
    assert answer.status_code == httpx.codes.OK
    return answer


@CUTS
async def test_cartesias_events_have_the_error_before_the_end(finish):
    answer = await answer_of("/tts/sse", CARTESIA, finish)
    events = [json.loads(event.removeprefix("data: ")) for event in answer.text.split("\n\n")[:-1]]
    assert [event["type"] for event in events][-3:] == ["chunk", "error", "done"]


@CUTS
async def test_the_last_of_elevenlabs_timed_lines_has_the_error(finish):
    path = "/v1/text-to-speech/anna/stream/with-timestamps"
    answer = await answer_of(path, {"text": "Hello there."}, finish)
    *sound, last = map(json.loads, answer.text.splitlines())
    assert (last["error"], last["audio_base64"]) == ("speech_cut", "")
    assert all("error" not in line for line in sound)


@pytest.mark.parametrize("finish", [FinishReason.STOP, FinishReason.LENGTH, FinishReason.BABBLE])
@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/text-to-speech/anna", {"text": "Hello there."}),
        (
            "/v1/audio/speech",
            {"model": "tts-1", "voice": "anna", "input": "Hello there.", "stream": False},
        ),
    ],
)
async def test_a_whole_file_tells_how_its_speech_ended(path, body, finish):
    answer = await answer_of(path, body, finish)
    assert answer.headers["X-Finish-Reason"] == finish


@pytest.mark.parametrize("finish", [FinishReason.STOP, FinishReason.LENGTH, FinishReason.BABBLE])
async def test_the_last_of_openais_events_tells_how_its_speech_ended(finish):
    body = {"model": "tts-1", "voice": "anna", "input": "Hello there.", "stream_format": "sse"}
    answer = await answer_of("/v1/audio/speech", body, finish)
    last = json.loads(answer.text.split("\n\n")[-2].removeprefix("data: "))
    assert (last["type"], last["finish_reason"]) == ("speech.audio.done", finish)


async def test_each_flush_tells_of_its_own_turn_alone():
    synthesizer = FakeSynthesizer(finish=FinishReason.LENGTH)
    told = []
    with serving(synthesizer) as url:
        address = url.replace("http", "ws") + "/v1/audio/speech/stream"
        async with websockets.connect(address) as socket:
            for finish in (FinishReason.LENGTH, FinishReason.STOP):
                synthesizer.finish = finish
                start = [{"type": "start", "voice": "anna"}] if not told else []
                for frame in (*start, {"type": "text", "text": "Hello there."}, {"type": "flush"}):
                    await socket.send(json.dumps({**frame, "context_id": "c"}))
                while not told or told[-1]["type"] != "flushed":
                    told.append(json.loads(await socket.recv()))
                told[-1]["type"] = "read"
            await socket.send('{"type": "close", "context_id": "c"}')
            while told[-1]["type"] != "done":
                told.append(json.loads(await socket.recv()))
    finishes = [each["finish_reason"] for each in told if "finish_reason" in each]
    assert finishes == ["length", "stop", "length"]
