"""Sound that is late, in every dialect and every format: silence keeps the stream alive."""

import asyncio
import base64
import json
import threading
from itertools import accumulate, pairwise

import httpx
import pytest

from app.api import gaps
from app.config import Limits
from app.core import SAMPLE_RATE
from tests.support.api_clients import serving
from tests.support.decoding import decode
from tests.support.fakes import FakeSynthesizer
from tests.support.vendor_sockets import vendor_client

TEXT = "The first words are here, and later come some others."
WAIT_S = 30
ELEVENLABS = "/v1/text-to-speech/anna"


@pytest.fixture(autouse=True)
def is_late(monkeypatch):
    """While it is set, sound that is owed counts as late."""
    is_late = threading.Event()

    def is_due(clock, now_s, heard_s, *, is_owed):
        return is_owed and is_late.is_set()

    monkeypatch.setattr(gaps.GapClock, "is_due", is_due)
    monkeypatch.setattr(gaps, "LOOK_EVERY_S", 0.01)
    return is_late


@pytest.fixture
def synthesizer(is_late):
    """The speech stands still after its first chunk, of 0.2 s, and is late then."""
    synthesizer = FakeSynthesizer(num_chunks=15, hold_at=1)
    synthesizer.holding = is_late
    return synthesizer


def go_on(synthesizer):
    synthesizer.wait_until_holding()
    synthesizer.holding.clear()
    synthesizer.hold_at = None  # of later takes
    synthesizer.release()


def speech_s(synthesizer):
    return len(synthesizer.requests) * synthesizer.num_samples / SAMPLE_RATE


def generation(container="raw", encoding="pcm_s16le", rate=SAMPLE_RATE, **changes):
    sound = {"container": container, "encoding": encoding, "sample_rate": rate}
    fields = {"transcript": TEXT, "voice": "anna", "context_id": "c", "output_format": sound}
    return {**fields, "continue": False, "max_buffer_delay_ms": 0, **changes}


def elevenlabs(output_format):
    return f"{ELEVENLABS}/multi-stream-input?auto_mode=true&output_format={output_format}"


SAID = [{"text": TEXT, "context_id": "c"}, {"context_id": "c", "close_context": True}]
SPOKEN = [{"type": "Speak", "text": TEXT}, {"type": "Flush"}]
SOCKETS = [  # the format that is decoded, its rate, the address, what is sent
    ("pcm", 24_000, "/tts/websocket", [generation()]),
    ("mulaw", 8000, "/tts/websocket", [generation("raw", "pcm_mulaw", 8000)]),
    ("wav", 44_100, "/tts/websocket", [generation("wav", "pcm_s16le", 44_100)]),
    ("mp3", 44_100, "/tts/websocket", [generation("mp3", rate=44_100)]),
    ("pcm", 16_000, elevenlabs("pcm_16000"), SAID),
    ("mp3", 22_050, elevenlabs("mp3_22050_32"), SAID),
    ("opus", 48_000, elevenlabs("opus_48000_64"), SAID),
    ("pcm", 24_000, "/v1/speak?encoding=linear16&sample_rate=24000&model=anna", SPOKEN),
]


def sound_of(message):
    if isinstance(message, bytes):
        return message
    return base64.b64decode(message.get("audio") or message.get("data") or "")


def is_end(message):
    if isinstance(message, bytes):
        return False
    return message.get("type") in ("done", "Flushed") or message.get("isFinal") is True


async def heard_on(path, frames, synthesizer):
    """The messages of a socket whose speech went on once three of them had sound."""
    num_sounds = []

    def has_fillers(message):
        num_sounds.extend([True] * bool(sound_of(message)))
        return len(num_sounds) == 3

    async with vendor_client(synthesizer, path) as client:
        for frame in frames:
            await client.send(**frame)
        heard = await client.until(has_fillers)
        go_on(synthesizer)
        return heard + await client.until(is_end)


@pytest.mark.parametrize(("name", "rate", "path", "frames"), SOCKETS)
async def test_a_socket_sends_silence_in_its_format_while_the_speech_is_late(
    name, rate, path, frames, synthesizer
):
    heard = await heard_on(path, frames, synthesizer)
    samples = decode(name, b"".join(map(sound_of, heard)), rate)
    assert len(samples) / rate > speech_s(synthesizer) + 0.019


BODIES = [
    ("pcm", 24_000, "/tts/bytes", generation()),
    ("mp3", 44_100, "/tts/bytes", generation("mp3", rate=44_100)),
    ("pcm", 24_000, f"{ELEVENLABS}/stream?output_format=pcm_24000", {"text": TEXT}),
    ("mp3", 44_100, f"{ELEVENLABS}/stream", {"text": TEXT}),
    ("opus", 48_000, f"{ELEVENLABS}/stream?output_format=opus_48000_64", {"text": TEXT}),
    ("mp3", 22_050, "/v1/speak", {"text": TEXT}),
    ("pcm", 24_000, "/vapi/speak", {"message": {"text": TEXT, "sampleRate": 24_000}}),
    ("mp3", 24_000, "/jambonz/synthesize", {"text": TEXT}),
    *(
        (
            name,
            24_000,
            "/v1/audio/speech",
            {"model": "tts-1", "voice": "anna", "input": TEXT, "response_format": name},
        )
        for name in ("pcm", "mp3", "wav")
    ),
]
AGENTS = Limits(profile="agents")


async def body_of(path, body, synthesizer):
    """The body of an answer whose speech went on once three parts had come."""
    async with asyncio.timeout(WAIT_S):
        with serving(synthesizer, AGENTS) as url:
            async with (
                httpx.AsyncClient(base_url=url) as client,
                client.stream("POST", path, json=body) as response,
            ):
                parts = response.aiter_raw()
                got = [await anext(parts) for _ in range(3)]
                go_on(synthesizer)
                got += [part async for part in parts]
    return b"".join(got)


@pytest.mark.parametrize(("name", "rate", "path", "body"), BODIES)
async def test_a_body_has_silence_in_its_format_while_the_speech_is_late(
    name, rate, path, body, synthesizer
):
    samples = decode(name, await body_of(path, body, synthesizer), rate)
    assert len(samples) / rate > speech_s(synthesizer) + 0.019


def lines_of(body):
    return [json.loads(line.removeprefix("data: ")) for line in body.decode().split("\n") if line]


def words_of_cartesia(messages):
    told = [message["word_timestamps"] for message in messages if "word_timestamps" in message]
    words = [zip(each["words"], each["start"], each["end"], strict=True) for each in told]
    times = [word for each in words for word in each]
    return [(word, start * 1e3, end * 1e3) for word, start, end in times]


def words_of_openai(events):
    """The last times of each."""
    told = [word for event in events for word in event.get("words", [])]
    last = {word["char_start"]: word for word in told}
    return [(word["text"], word["start_ms"], word["end_ms"]) for word in last.values()]


def words_of_lines(lines):
    told = [line["alignment"] for line in lines if line.get("alignment")]
    names = "characters", "character_start_times_seconds", "character_end_times_seconds"
    chars = [zip(*(each[name] for name in names), strict=True) for each in told]
    timed = [char for each in chars for char in each]
    ends = [0, *accumulate(len(word) + 1 for word in TEXT.split())]
    words = [timed[start : end - 1] for start, end in pairwise(ends)]
    assert [char for char, _, _ in timed] == list(TEXT)
    return [(TEXT, word[0][1] * 1e3, word[-1][2] * 1e3) for word in words]


SSE = {"voice": "anna", "input": TEXT, "stream_format": "sse", "response_format": "pcm"}
TIMED = [
    ("/tts/sse", generation(add_timestamps=True), "data", words_of_cartesia),
    (
        "/v1/audio/speech",
        {"model": "tts-1", **SSE, "timestamps": "word"},
        "audio",
        words_of_openai,
    ),
    (
        f"{ELEVENLABS}/stream/with-timestamps?output_format=pcm_24000",
        {"text": TEXT},
        "audio_base64",
        words_of_lines,
    ),
]


def length_ms(messages, name):
    sound = b"".join(base64.b64decode(message.get(name) or "") for message in messages)
    return len(sound) / 2 / SAMPLE_RATE * 1e3


def assert_moved(words, plain, filler_ms):
    """The words that begin in the first chunk keep their places. Those behind it are heard later
    by all fillers."""
    assert filler_ms >= 20
    assert [word for word, _, _ in words] == [word for word, _, _ in plain]
    later = [at for at, (_, start, _) in enumerate(plain) if start > 201]
    earlier = [at for at, (_, _, end) in enumerate(plain) if end < 199]
    assert later
    for at in earlier:
        assert words[at] == pytest.approx(plain[at])
    for at in later:
        moved = [time - filler_ms for time in words[at][1:]]
        assert moved == pytest.approx(plain[at][1:], abs=2)


@pytest.mark.parametrize(("path", "body", "name", "words_of"), TIMED)
async def test_the_words_of_a_body_count_its_silence(path, body, name, words_of, synthesizer):
    got = lines_of(await body_of(path, body, synthesizer))
    with serving(FakeSynthesizer(num_chunks=15), AGENTS) as url:
        async with httpx.AsyncClient(base_url=url) as client:
            plain = lines_of((await client.post(path, json=body)).content)
    filler_ms = length_ms(got, name) - length_ms(plain, name)
    assert_moved(words_of(got), words_of(plain), filler_ms)


async def test_the_words_of_a_socket_count_its_silence(synthesizer):
    frames = [generation(add_timestamps=True)]
    got = await heard_on("/tts/websocket", frames, synthesizer)
    async with vendor_client(FakeSynthesizer(num_chunks=15), "/tts/websocket") as client:
        await client.send(**frames[0])
        plain = await client.until(is_end)
    filler_ms = length_ms(got, "data") - length_ms(plain, "data")
    assert_moved(words_of_cartesia(got), words_of_cartesia(plain), filler_ms)


async def test_text_that_waits_for_the_end_of_its_sentence_is_owed_too(is_late):
    is_late.set()
    text = generation(transcript="Some words", max_buffer_delay_ms=2500, **{"continue": True})
    async with vendor_client(FakeSynthesizer(hold_at=0), "/tts/websocket") as client:
        await client.send(**text)
        (filler,) = await client.until(sound_of)
    assert set(sound_of(filler)) == {0}


async def test_a_context_that_waits_for_text_owes_nothing(is_late):
    context_text = generation(transcript="Some words. ", **{"continue": True})
    heard, synthesizer = [], FakeSynthesizer()
    speech_ms = synthesizer.num_samples / SAMPLE_RATE * 1e3

    def is_whole(message):
        heard.append(message)
        return length_ms(heard, "data") >= speech_ms

    async with vendor_client(synthesizer, "/tts/websocket") as client:
        await client.send(**context_text)
        await client.until(is_whole)
        is_late.set()
        await client.silent_for(0.3)
