"""Vapi's custom voice."""

import pytest

from app.audio.pcm import to_s16le
from tests.support.api_clients import in_process
from tests.support.api_keys import key
from tests.support.fakes import FakeSynthesizer, tone


def voice_request(**changes):
    message = {"type": "voice-request", "text": "Hello there.", "sampleRate": 24_000}
    call = {"timestamp": 1, "call": {"id": "c"}, "assistant": {"name": "a"}}
    return {"message": {**message, **call, **changes}}


async def post(body, synthesizer=None, query="", headers=None, **options):
    async with in_process(synthesizer or FakeSynthesizer(), **options) as client:
        return await client.post(f"/vapi/speak{query}", json=body, headers=headers)


async def test_the_answer_is_raw_samples_as_they_are_made():
    synthesizer = FakeSynthesizer()
    response = await post(voice_request(), synthesizer)
    assert response.status_code == 200
    assert response.content == to_s16le(tone(synthesizer.num_samples))
    (request,) = synthesizer.requests
    assert (request.voice.name, request.is_paced) == ("default", False)


async def test_the_rate_is_the_one_that_is_asked_for():
    synthesizer = FakeSynthesizer()
    response = await post(voice_request(sampleRate=8000), synthesizer)
    assert len(response.content) == 2 * synthesizer.num_samples // 3


@pytest.mark.parametrize(
    ("query", "changes"),
    [
        ("?voice=anna", {}),
        ("?voice=anna", {"voiceId": "default"}),
        ("", {"voiceId": "anna"}),
        ("", {"assistant": {"voice": {"provider": "custom-voice", "voiceId": "anna"}}}),
    ],
)
async def test_the_voice_is_in_the_query_or_is_vapis(query, changes):
    synthesizer = FakeSynthesizer()
    await post(voice_request(**changes), synthesizer, query)
    assert synthesizer.requests[0].voice.name == "anna"


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"message": "Hello."},
        voice_request(type="status-update"),
        voice_request(text=7),
        voice_request(sampleRate="24000"),
        voice_request(sampleRate=12),
    ],
)
async def test_another_message_is_refused(body):
    assert (await post(body)).status_code == 400


async def test_an_unknown_voice_is_a_404():
    assert (await post(voice_request(), query="?voice=nobody")).status_code == 404


@pytest.mark.parametrize(("secret", "status"), [("red-key", 200), ("other", 401), (None, 401)])
async def test_the_secret_is_an_api_key(secret, status):
    headers = {} if secret is None else {"X-Vapi-Secret": secret}
    keys = (key("red-key", "red", "red"),)
    assert (await post(voice_request(), headers=headers, keys=keys)).status_code == status
