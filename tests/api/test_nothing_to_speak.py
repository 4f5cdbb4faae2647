"""A text without a word over HTTP: a short silence, or a refusal where that is configured."""

import numpy as np
import pytest

from app.config import Limits
from tests.support.api_clients import events_of, in_process, speech
from tests.support.fakes import FakeSynthesizer

REFUSE = Limits(nothing_to_speak="refuse")
WORDLESS = [
    {"input": "?!... -- 🙂"},
    {"input": "..."},
    {"input": "\x00\x07"},
    {"input": "**🙂**", "strip_emoji": True, "strip_markdown": True},
]


async def post(synthesizer, limits=None, **changes):
    body = speech(**{"response_format": "pcm", **changes})
    async with in_process(synthesizer, limits) as client:
        return await client.post("/v1/audio/speech", json=body)


@pytest.mark.parametrize("stream", [None, False])
@pytest.mark.parametrize("changes", WORDLESS)
async def test_a_text_without_a_word_is_a_short_silence_and_no_session(changes, stream):
    synthesizer = FakeSynthesizer()
    response = await post(synthesizer, stream=stream, **changes)
    assert response.status_code == 200
    heard = np.frombuffer(response.content, "<i2")
    assert len(heard) == 4800
    assert not heard.any()
    assert synthesizer.requests == []


async def test_its_events_are_those_of_a_speech():
    response = await post(FakeSynthesizer(), input="...", stream_format="sse")
    *deltas, done = events_of(response.text)
    assert [event["type"] for event in deltas] == ["speech.audio.delta"]
    assert done["type"] == "speech.audio.done"
    assert (done["usage"]["total_tokens"], done["timing"]["audio_ms"]) == (0, 200.0)


async def test_a_pause_without_a_word_is_as_long_as_it_says():
    response = await post(FakeSynthesizer(), input="[pause:1s]")
    assert len(response.content) == 2 * 24_000


@pytest.mark.parametrize("response_format", ["mp3", "opus", "aac", "flac", "wav", "mulaw"])
async def test_the_silence_is_in_the_format_that_was_asked_for(response_format):
    response = await post(FakeSynthesizer(), input="...", response_format=response_format)
    assert response.status_code == 200
    assert response.content


@pytest.mark.parametrize("changes", [{"input": ""}, {"input": " \n\t"}])
async def test_an_empty_text_is_refused(changes):
    response = await post(FakeSynthesizer(), **changes)
    assert (response.status_code, response.json()["error"]["code"]) == (400, "empty_input")


@pytest.mark.parametrize("changes", WORDLESS)
async def test_every_text_without_a_word_is_refused_where_that_is_configured(changes):
    response = await post(FakeSynthesizer(), REFUSE, **changes)
    assert (response.status_code, response.json()["error"]["code"]) == (400, "empty_input")
