"""Fields that clients of other servers send to OpenAI's route."""

import pytest

from app.api.other_servers import OtherServersFields
from tests.support.api_clients import in_process, speech

SPEECH = "/v1/audio/speech"
ACCEPTED = {
    "user": "somebody",
    "backend": "kokoro",
    "non_streaming_mode": False,
    "initial_codec_chunk_frames": 12,
    "task_type": "CustomVoice",
    "word_timestamps": False,
    "return_timestamps": False,
    "return_download_link": False,
    "volume_multiplier": 1.0,
    "streaming_chunk_size": 200,
    "streaming_strategy": "sentence",
    "streaming_buffer_size": 3,
    "streaming_quality": "balanced",
}


@pytest.fixture
async def client(synthesizer):
    async with in_process(synthesizer) as client:
        yield client


def test_the_list_is_complete():
    assert set(OtherServersFields.model_fields) == set(ACCEPTED)


def test_each_field_says_whose_it_is_and_what_it_does_here():
    for name, field in OtherServersFields.model_fields.items():
        assert (field.description or "").startswith("of "), name
        assert "; no effect" in field.description


@pytest.mark.parametrize("name", ACCEPTED)
async def test_a_harmless_field_changes_no_byte(client, synthesizer, name):
    plain = await client.post(SPEECH, json=speech(seed=1, response_format="wav"))
    body = speech(seed=1, response_format="wav", **{name: ACCEPTED[name]})
    response = await client.post(SPEECH, json=body)
    assert response.status_code == 200, response.text
    assert response.content == plain.content
    asked, without = synthesizer.requests[::-1]
    assert (asked.segments, asked.sampling, asked.voice) == (
        without.segments,
        without.sampling,
        without.voice,
    )


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("task_type", "VoiceDesign"),  # each of these would have to change something
        ("task_type", "Base"),
        ("word_timestamps", True),
        ("return_timestamps", True),
        ("return_download_link", True),
        ("volume_multiplier", 0.5),
        ("volume_multiplier", 2),
        ("non_streaming_mode", "yes"),
        ("streaming_chunk_size", "200"),
        ("user", 5),
    ],
)
async def test_a_value_that_is_not_harmless_is_refused_by_name(client, synthesizer, name, value):
    response = await client.post(SPEECH, json=speech(**{name: value}))
    error = response.json()["error"]
    assert (response.status_code, error["code"], error["param"]) == (400, "invalid_value", name)
    assert synthesizer.requests == []


@pytest.mark.parametrize(
    "name",
    [
        "ref_audio",
        "ref_text",
        "speaker",
        "pitch",
        "volume",
        "lang_code",
        "emotion",
        "max_new_tokens",
    ],
)
async def test_every_other_field_is_refused_by_name(client, synthesizer, name):
    response = await client.post(SPEECH, json=speech(**{name: "x"}))
    error = response.json()["error"]
    assert (response.status_code, error["code"], error["param"]) == (400, "unknown_field", name)
    assert synthesizer.requests == []
