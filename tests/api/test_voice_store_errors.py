"""A store of voices that is full or does not answer, as callers see it."""

import base64

import pytest

from app.errors import StorageAway, StorageFull
from app.voices import library as voice_library
from app.voices.library import VoiceLibrary
from tests.support import failing_store
from tests.support.api_clients import in_process, speech
from tests.support.failing_store import FailingStore
from tests.support.made_voices import BLUE, KEYS, RED, WAV, add, stored

pytestmark = pytest.mark.full  # seconds in all


@pytest.fixture
async def client(synthesizer, folder, monkeypatch):
    monkeypatch.setattr(FailingStore, "error", None)
    monkeypatch.setattr(FailingStore, "room", None)
    monkeypatch.setattr(voice_library, "FRESH_S", 0)
    library = VoiceLibrary(f"failing://{folder}")
    async with in_process(synthesizer, keys=KEYS, library=library) as client:
        yield client


async def say(client, headers=RED, **fields):
    return await client.post("/v1/audio/speech", json=speech(**fields), headers=headers)


def told(response):
    return response.status_code, response.json()["error"]["code"]


async def test_an_upload_to_a_full_store_is_a_507_and_speech_goes_on(client, folder, monkeypatch):
    await add(client, name="Kept")
    before = stored(folder)
    monkeypatch.setattr(FailingStore, "room", 1000)
    refused = await add(client, BLUE)
    assert told(refused) == (507, "storage_full")
    assert refused.headers["x-should-retry"] == "false"
    assert stored(folder) == before
    assert (await say(client, voice="Kept")).status_code == 200
    assert (await say(client, voice="anna")).status_code == 200


@pytest.mark.parametrize("fault", [StorageFull("no room"), StorageAway("no answer")])
async def test_a_failed_enrolment_leaves_no_recording(client, synthesizer, folder, fault):
    synthesizer.enrol_error = fault
    assert told(await add(client)) == (fault.status, fault.code)
    assert stored(folder) == []


async def test_a_clone_in_a_full_store_is_a_507(client, folder, monkeypatch):
    monkeypatch.setattr(FailingStore, "room", 1000)
    clone = base64.b64encode(WAV).decode()
    response = await say(client, voice=..., reference_audio=clone)
    assert told(response) == (507, "storage_full")
    assert stored(folder) == []


@pytest.mark.parametrize("fault", [failing_store.SLOW, failing_store.GONE])
async def test_known_voices_speak_while_the_store_is_away(client, monkeypatch, fault):
    await add(client, name="Ann")
    assert (await say(client, voice="Ann")).status_code == 200
    monkeypatch.setattr(FailingStore, "error", fault)
    assert (await say(client, voice="anna")).status_code == 200  # the model's own
    assert (await say(client, voice="Ann")).status_code == 200  # listed before
    for response in (await say(client, BLUE, voice="Ann"), await add(client, name="Bob")):
        assert told(response) == (503, "storage_unavailable")
        assert response.headers["retry-after"] == "1"
    monkeypatch.setattr(FailingStore, "error", None)
    assert (await add(client, name="Bob")).status_code == 200
