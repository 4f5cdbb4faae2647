"""The bridge for Home Assistant, with the client of the wyoming package and a fake voice."""

import asyncio
from contextlib import asynccontextmanager

import pytest
from wyoming.audio import AudioChunk
from wyoming.client import AsyncTcpClient
from wyoming.info import Describe, Info
from wyoming.ping import Ping
from wyoming.server import AsyncTcpServer
from wyoming.tts import (
    Synthesize,
    SynthesizeChunk,
    SynthesizeStart,
    SynthesizeStop,
    SynthesizeVoice,
)

from app.audio.pcm import to_s16le
from app.client import wyoming_bridge
from app.core import FinishReason
from app.errors import Overloaded, SynthesisFailed
from tests.support.api_clients import serving
from tests.support.eventually import eventually
from tests.support.fakes import MULTILINGUAL, FakeSynthesizer, tone

WAIT_S = 30
ANNA = SynthesizeVoice(name="anna")


class Client:
    def __init__(self, connection):
        self.connection = connection

    async def send(self, *messages):
        for message in messages:
            await self.connection.write_event(message.event())

    async def next(self):
        async with asyncio.timeout(WAIT_S):
            return await self.connection.read_event()

    async def until(self, *kinds):
        """Events up to the first of these kinds; an empty one where the bridge hangs up."""
        heard = []
        while (event := await self.next()) is not None:
            heard.append(event)
            if event.type in kinds:
                return heard
        raise AssertionError(f"the bridge hung up; heard {[event.type for event in heard]}")


def sound(events):
    return b"".join(event.payload for event in events if AudioChunk.is_type(event.type))


@asynccontextmanager
async def bridged(synthesizer):
    """A client of a bridge to a server."""
    with serving(synthesizer) as url:
        server = AsyncTcpServer("127.0.0.1", 0)
        running = asyncio.create_task(wyoming_bridge.serve(url, server))
        await eventually(lambda: server._server, WAIT_S, "the bridge listens")
        port = server._server.sockets[0].getsockname()[1]
        try:
            async with AsyncTcpClient("127.0.0.1", port) as connection:
                yield Client(connection)
        finally:
            running.cancel()
            await asyncio.wait({running})


@pytest.fixture
async def client(synthesizer):
    async with bridged(synthesizer) as client:
        yield client


@pytest.fixture
def synthesizer():
    return FakeSynthesizer()


async def test_the_voices_and_the_streaming_of_texts_are_described(client):
    await client.send(Describe())
    (event,) = await client.until("info")
    (program,) = Info.from_event(event).tts
    assert program.supports_synthesize_streaming
    assert [voice.name for voice in program.voices] == ["default", "anna", "søren"]
    assert program.voices[0].languages == ["en"]


async def test_a_whole_text_is_spoken(client, synthesizer):
    await client.send(Synthesize("Hello there.", voice=ANNA))
    heard = await client.until("audio-stop")
    assert heard[0].data == {"rate": 24_000, "width": 2, "channels": 1, "timestamp": None}
    assert sound(heard) == to_s16le(tone(synthesizer.num_samples))
    (request,) = synthesizer.requests
    assert (request.voice.name, request.is_paced) == ("anna", False)


async def test_a_text_in_pieces_is_spoken_once_though_it_is_sent_whole_too(client, synthesizer):
    pieces = [SynthesizeChunk(piece) for piece in ("Hel", "lo ", "there.")]
    whole = Synthesize("Hello there.", voice=ANNA)  # as Home Assistant does
    await client.send(SynthesizeStart(voice=ANNA), *pieces, whole, SynthesizeStop())
    heard = await client.until("synthesize-stopped")
    assert [event.type for event in heard[-2:]] == ["audio-stop", "synthesize-stopped"]
    assert sound(heard) == to_s16le(tone(synthesizer.num_samples))
    (request,) = synthesizer.requests
    assert (request.segments, request.voice.name) == (("Hello there.",), "anna")


async def test_sound_comes_before_the_text_has_ended(client):
    text = "This is the first sentence of it all. And then"
    await client.send(SynthesizeStart(), SynthesizeChunk(text))
    assert sound(await client.until("audio-chunk"))
    await client.send(SynthesizeStop())
    await client.until("synthesize-stopped")


async def test_texts_are_spoken_one_after_the_other(client, synthesizer):
    await client.send(Synthesize("One."), Synthesize("Two."))
    for _ in range(2):
        heard = await client.until("audio-stop")
        assert sound(heard) == to_s16le(tone(synthesizer.num_samples))


@pytest.mark.parametrize("in_pieces", [True, False])
async def test_a_client_that_hangs_up_stops_its_speech(synthesizer, in_pieces):
    synthesizer.hold_at = 1
    async with bridged(synthesizer) as client:
        if in_pieces:
            await client.send(SynthesizeStart(), SynthesizeChunk("Hello there."), SynthesizeStop())
        else:
            await client.send(Synthesize("Hello there."))
        await client.send(Synthesize("And this waits for it."))
        await eventually(synthesizer.holding.is_set, WAIT_S, "the server speaks")
        await client.connection.disconnect()
        await eventually(lambda: synthesizer.ended, WAIT_S, "the speech was stopped")
    assert [how for _, how in synthesizer.ended] == ["closed"]


@pytest.mark.parametrize("in_pieces", [True, False])
@pytest.mark.parametrize("error", [Overloaded("no slot is free"), SynthesisFailed("broken")])
async def test_a_speech_that_fails_is_an_error_and_the_bridge_hangs_up(
    synthesizer, error, in_pieces
):
    synthesizer.fail_at, synthesizer.error = 0, error
    async with bridged(synthesizer) as client:
        if in_pieces:
            await client.send(SynthesizeStart(), SynthesizeChunk("Hello there."), SynthesizeStop())
        else:
            await client.send(Synthesize("Hello there."))
        *_, told = await client.until("error")
        assert error.message in told.data["text"]
        assert await client.next() is None


async def test_a_voice_that_does_not_exist_is_an_error(client):
    await client.send(Synthesize("Hello.", voice=SynthesizeVoice(name="nobody")))
    *_, told = await client.until("error")
    assert "nobody" in told.data["text"]


async def test_a_language_is_that_of_the_text():
    synthesizer = FakeSynthesizer(MULTILINGUAL)
    async with bridged(synthesizer) as client:
        german = SynthesizeVoice(language="de_DE")
        await client.send(Synthesize("Guten Tag.", voice=german))
        await client.until("audio-stop")
    assert synthesizer.requests[0].language == "de"


async def test_a_ping_is_answered_and_a_wrong_event_is_an_error(client):
    await client.send(Ping("still there"))
    (pong,) = await client.until("pong")
    assert pong.data["text"] == "still there"
    event = Synthesize("x").event()
    event.data.clear()
    await client.connection.write_event(event)
    (told,) = await client.until("error")
    assert "synthesize" in told.data["text"]
    assert await client.next() is None


@pytest.mark.parametrize("finish", [FinishReason.LENGTH, FinishReason.BABBLE])
@pytest.mark.parametrize("in_pieces", [True, False])
async def test_a_cut_speech_is_heard_whole_and_an_error_comes_before_its_end(
    client, synthesizer, in_pieces, finish
):
    synthesizer.finish = finish
    pieces = (SynthesizeStart(voice=ANNA), SynthesizeChunk("Hello there."), SynthesizeStop())
    await client.send(*(pieces if in_pieces else [Synthesize("Hello there.", voice=ANNA)]))
    heard = await client.until("audio-stop")
    assert sound(heard) == to_s16le(tone(synthesizer.num_samples))
    assert (heard[-2].type, heard[-2].data["code"]) == ("error", "speech_cut")
    await client.send(Ping(text="still here"))
    assert (await client.until("pong"))[-1].type == "pong"
