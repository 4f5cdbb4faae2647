"""`start` over HTTP, events and the socket: what is asked of the engines, and what a player is
told."""

from dataclasses import replace

import pytest

from app.api.prebuffer import PREBUFFER, Prebuffers
from app.config import Limits
from app.core import AudioChunk, Mark, SessionKey
from tests.support.api_clients import in_process, speech
from tests.support.fakes import FakeSynthesizer, tone
from tests.support.speech_sockets import audio, connected

SPEECH = "/v1/audio/speech"


class TellingSynthesizer(FakeSynthesizer):
    """Tells with the first chunk of a stream what its player waits."""

    def __init__(self, prebuffer_s: float = 0.12, held_s: float = 0.0, **script) -> None:
        super().__init__(**script)
        self.prebuffer_s = prebuffer_s
        self.held_s = held_s

    async def _chunks(self, request):
        marks = {Mark.FIRST_CELL: 10.0, Mark.RELEASED: 10.0 + self.held_s}
        async for chunk in super()._chunks(request):
            if request.is_paced and not chunk.start:
                yield replace(chunk, prebuffer_s=self.prebuffer_s, marks=marks)
            else:
                yield chunk


@pytest.mark.parametrize("stream_format", ["audio", "sse"])
@pytest.mark.parametrize(
    ("fields", "limits", "is_held"),
    [
        ({}, Limits(), True),
        ({"start": None}, Limits(), True),
        ({"start": "smooth"}, Limits(), True),
        ({"start": "soonest"}, Limits(), False),
        ({}, Limits(start="soonest"), False),
        ({"start": "smooth"}, Limits(start="soonest"), True),
    ],
)
async def test_a_stream_begins_as_its_request_says_else_as_the_configuration_does(
    fields, limits, is_held, stream_format
):
    synthesizer = TellingSynthesizer()
    async with in_process(synthesizer, limits) as client:
        answer = await client.post(SPEECH, json=speech(stream_format=stream_format, **fields))
    assert answer.status_code == 200
    assert answer.headers[PREBUFFER] == "120"
    assert (synthesizer.requests[0].is_paced, synthesizer.requests[0].is_held) == (True, is_held)


async def test_a_whole_file_is_neither_held_nor_told_of():
    synthesizer = TellingSynthesizer()
    async with in_process(synthesizer) as client:
        answer = await client.post(SPEECH, json=speech(stream=False))
    assert PREBUFFER not in answer.headers
    assert (synthesizer.requests[0].is_paced, synthesizer.requests[0].is_held) == (False, False)


@pytest.mark.parametrize(
    "fields", [{"start": "late"}, {"start": 1}, {"start": "smooth", "stream": False}]
)
async def test_a_wrong_start_is_refused_by_name(fields):
    synthesizer = FakeSynthesizer()
    async with in_process(synthesizer) as client:
        answer = await client.post(SPEECH, json=speech(**fields))
    error = answer.json()["error"]
    assert (answer.status_code, error["param"]) == (400, "start")
    assert error["message"].startswith("start: ")
    assert synthesizer.requests == []


async def test_without_a_measured_speed_nothing_is_told():
    async with in_process(FakeSynthesizer()) as client:
        assert PREBUFFER not in (await client.post(SPEECH, json=speech())).headers


# -- the socket ----------------------------------------------------------------------------------


async def spoken(client, text="Hello there.", **fields):
    await client.start(**fields)
    await client.send("text", "c", text=text)
    await client.send("close", "c")
    return await client.until("done", "error", context_id="c")


@pytest.mark.parametrize("audio_kind", ["base64", "binary"])
async def test_the_first_audio_of_a_context_says_how_long_its_player_waits(audio_kind):
    synthesizer = TellingSynthesizer()
    async with connected(synthesizer) as client:
        heard = await spoken(client, audio=audio_kind, start="soonest")
    told = [message.get("prebuffer_ms") for message in heard if message["type"] == "audio"]
    assert told[0] == 120
    assert set(told[1:]) == {None}
    assert len(audio(heard)) == 2 * synthesizer.num_samples
    assert not synthesizer.requests[0].is_held


async def test_started_tells_what_the_last_stream_needed_as_an_estimate():
    async with connected(TellingSynthesizer(0.02, held_s=0.3)) as client:
        starts = []
        for fields in ({"start": "soonest"}, {"start": "soonest"}, {}):
            heard = await spoken(client, **fields)
            starts.append(heard[0]["prebuffer_ms"])
    assert starts == [None, 320, 0]  # not known yet; the hold and the rest; the server waits


async def test_a_wrong_start_of_a_context_is_an_error_by_name():
    async with connected(FakeSynthesizer()) as client:
        await client.start(start="late")
        (error,) = await client.until("error")
    assert error["error"]["param"] == "start"


async def test_a_take_that_follows_at_once_is_told_of_the_sound_that_still_plays():
    synthesizer = TellingSynthesizer(num_chunks=30)
    async with connected(synthesizer) as client:
        heard = await spoken(client, "This is the first sentence. And this is the second one. ")
    first, second = synthesizer.requests
    assert first.lead_s == 0.0
    assert 1.0 < second.lead_s <= 30 * 0.2 + 0.12
    told = [message.get("prebuffer_ms") for message in heard if message["type"] == "audio"]
    assert told.count(120) == 1  # the player of the second plays on


def test_what_is_told_is_in_whole_milliseconds_and_never_negative():
    chunk = AudioChunk(SessionKey("default", "a"), 0, 0, tone(1))
    prebuffers = Prebuffers()
    assert prebuffers.told_ms(chunk) is None
    assert prebuffers.expected_ms(is_held=False) is None
    assert prebuffers.told_ms(replace(chunk, prebuffer_s=-1e-9)) == 0
    assert prebuffers.told_ms(replace(chunk, prebuffer_s=0.0604)) == 60
    assert prebuffers.expected_ms(is_held=False) == 60
