"""Cartesia's routes over HTTP in the application."""

import base64
import json

import numpy as np
import pytest

from app.audio.pcm import to_s16le
from app.errors import Overloaded
from tests.support.api_clients import in_process
from tests.support.decoding import decode
from tests.support.fakes import FakeSynthesizer, tone

BODY = {
    "model_id": "sonic-3",
    "transcript": "Hello there.",
    "voice": {"mode": "id", "id": "default"},
    "output_format": {"container": "raw", "encoding": "pcm_s16le", "sample_rate": 24_000},
    "language": "en",
}
HEADERS = {"Cartesia-Version": "2026-03-01", "X-API-Key": "any"}


@pytest.fixture
def synthesizer():
    return FakeSynthesizer()


async def posted(synthesizer, path, **changes):
    async with in_process(synthesizer) as client:
        return await client.post(path, json=BODY | changes, headers=HEADERS)


async def test_bytes_are_raw_samples(synthesizer):
    answer = await posted(synthesizer, "/tts/bytes")
    assert answer.content == to_s16le(tone(synthesizer.num_samples))


@pytest.mark.parametrize(
    ("output_format", "name", "rate"),
    [
        ({"container": "mp3", "bit_rate": 128_000, "sample_rate": 44_100}, "mp3", 44_100),
        ({"container": "wav", "encoding": "pcm_f32le", "sample_rate": 44_100}, "wav", 44_100),
        ({"container": "wav", "encoding": "pcm_mulaw", "sample_rate": 8000}, "wav", 8000),
    ],
)
async def test_files_are_heard(synthesizer, output_format, name, rate):
    answer = await posted(synthesizer, "/tts/bytes", output_format=output_format)
    heard = decode(name, answer.content, rate)
    assert abs(len(heard) - synthesizer.num_samples * rate / 24_000) < 3500
    assert 0.4 < np.abs(heard).max() < 0.6


async def test_events_have_the_sound_and_end_with_done(synthesizer):
    answer = await posted(synthesizer, "/tts/sse", context_id="mine")
    events = [json.loads(line[6:]) for line in answer.text.split("\n\n") if line]
    heard = b"".join(base64.b64decode(event["data"]) for event in events[:-1])
    assert heard == to_s16le(tone(synthesizer.num_samples))
    assert (events[-1]["type"], events[-1]["done"]) == ("done", True)
    assert {event["context_id"] for event in events} == {"mine"}


async def test_tags_are_read_in_one_piece(synthesizer):
    text = '<emotion value="sad"/>Hello <spell>AB</spell> there.'
    await posted(synthesizer, "/tts/bytes", transcript=text)
    (said,) = synthesizer.requests[0].segments
    assert "emotion" not in said
    assert "spell" not in said


@pytest.mark.parametrize(
    ("changes", "status", "code"),
    [
        ({"voice": "nobody"}, 404, "voice_not_found"),
        ({"model_id": "other"}, 404, "model_not_found"),
        ({"transcript": None}, 400, "invalid_value"),
        ({"output_format": {"container": "raw", "sample_rate": 1}}, 400, "invalid_value"),
    ],
)
async def test_a_refusal_has_the_vendors_shape_and_ours(synthesizer, changes, status, code):
    answer = await posted(synthesizer, "/tts/bytes", **changes)
    told = answer.json()
    assert (answer.status_code, told["error_code"], told["error"]["code"]) == (status, code, code)
    assert told["status_code"] == status


async def test_an_overload_is_a_503_in_the_vendors_shape(synthesizer):
    synthesizer.fail_at, synthesizer.error = 0, Overloaded("no slot is free")
    answer = await posted(synthesizer, "/tts/bytes")
    assert (answer.status_code, answer.json()["error_code"]) == (503, "overloaded")
    assert answer.headers["retry-after"] == "1"
