"""The limits of a key on recordings: voices kept, uploads at once, and its quota."""

import asyncio
import base64

import httpx
import pytest

from app.voices.library import VoiceLibrary
from tests.support.api_clients import in_process, speech
from tests.support.api_keys import bearer_of, key
from tests.support.made_voices import URL, WAV, add, stored

pytestmark = pytest.mark.full  # seconds in all

KEYS = (
    key("two-voices", "two-voices", "red", ("speak", "voices"), max_voices=2),
    key("one-at-once", "one-at-once", "blue", ("speak", "voices"), max_uploads=1),
    key("spent", "spent", "green", ("speak", "voices"), requests_per_minute=1),
)


@pytest.fixture
async def client(synthesizer, folder):
    library = VoiceLibrary(str(folder))
    async with in_process(synthesizer, keys=KEYS, library=library) as client:
        yield client


def clone(client: httpx.AsyncClient, name: str):
    body = speech(voice=..., reference_audio=base64.b64encode(WAV).decode())
    return client.post("/v1/audio/speech", json=body, headers=bearer_of(name))


async def test_max_voices_of_a_key_is_kept(client, folder):
    headers = bearer_of("two-voices")
    made = [await add(client, headers, name) for name in ("Ann", "Bea", "Cid")]
    assert [response.status_code for response in made] == [200, 200, 400]
    assert made[-1].json()["error"]["code"] == "too_many_voices"
    kept = len(stored(folder))
    assert (await client.delete(f"{URL}/{made[0].json()['id']}", headers=headers)).is_success
    assert (await add(client, headers, "Cid")).status_code == 200
    assert len(stored(folder)) == kept


async def test_an_upload_that_ends_gives_its_place_back(client):
    headers = bearer_of("one-at-once")
    first, second = await asyncio.gather(add(client, headers, "Ann"), add(client, headers, "Bea"))
    assert sorted([first.status_code, second.status_code]) == [200, 429]
    refused = first if first.status_code == 429 else second
    assert refused.json()["error"]["param"] == "max_uploads"
    assert (await clone(client, "one-at-once")).status_code == 200


async def test_a_recording_beyond_the_quota_is_not_decoded(client, synthesizer, folder):
    assert (await clone(client, "spent")).status_code == 200  # counted once
    assert len(synthesizer.enrolled) == 1
    refused = await clone(client, "spent")
    assert refused.status_code == 429
    assert refused.json()["error"]["param"] == "requests_per_minute"
    assert len(synthesizer.enrolled) == 1
    assert stored(folder) == []
