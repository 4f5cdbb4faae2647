"""A session that does not fit in the device's memory: a 503, or an event after the first sound."""

import json

import pytest

from app.errors import OutOfMemory
from tests.support.api_clients import in_process, speech
from tests.support.fakes import FakeSynthesizer

NO_MEMORY = OutOfMemory("the T3 engine has no memory left for this session")


@pytest.mark.parametrize("changes", [{}, {"stream": False}, {"stream_format": "sse"}])
async def test_out_of_memory_before_the_first_sound_is_a_503_with_retry_after(changes):
    synthesizer = FakeSynthesizer(fail_at=0, error=NO_MEMORY)
    async with in_process(synthesizer) as client:
        response = await client.post("/v1/audio/speech", json=speech(**changes))
    assert (response.status_code, response.json()["error"]["code"]) == (503, "out_of_memory")
    assert response.headers["retry-after"] == "1"


async def test_out_of_memory_after_the_first_sound_is_an_error_event():
    synthesizer = FakeSynthesizer(fail_at=1, error=NO_MEMORY)
    async with in_process(synthesizer, breaks_off=True) as client:
        response = await client.post("/v1/audio/speech", json=speech(stream_format="sse"))
    events = [
        json.loads(line[6:]) for line in response.text.splitlines() if line.startswith("data")
    ]
    assert response.status_code == 200
    assert events[-1]["error"]["code"] == "out_of_memory"
