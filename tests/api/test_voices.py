"""Voices over HTTP: a tenant makes, finds, renames, hears and deletes its own voices."""

import asyncio
import base64
import json
import re
import unicodedata

import numpy as np
import pytest

from app.config import Limits
from app.errors import BadRequest, NotFound
from app.voices.library import VoiceLibrary
from tests.support.api_clients import in_process, speech
from tests.support.api_keys import bearer_of
from tests.support.containers import CONTAINERS, contained
from tests.support.fakes import FakeSynthesizer
from tests.support.hostile_uploads import GOOD, HOSTILE, encoded, silence
from tests.support.made_voices import BLUE, KEYS, RED, URL, WAV, add, stored


@pytest.fixture
async def client(synthesizer, folder):
    library = VoiceLibrary(str(folder))
    async with in_process(synthesizer, keys=KEYS, library=library) as client:
        yield client


async def test_a_made_voice_is_enrolled_and_speaks(client, synthesizer):
    made = (await add(client)).json()
    assert (made["object"], made["name"], made["seconds"]) == ("audio.voice", "Ann", 6.0)
    for voice in (made["id"], "Ann", {"id": made["id"]}):
        response = await client.post("/v1/audio/speech", json=speech(voice=voice), headers=RED)
        assert response.status_code == 200
    assert {request.voice for request in synthesizer.requests} == set(synthesizer.enrolled)


async def test_a_made_voice_is_listed_renamed_and_deleted(client, folder):
    made = (await add(client)).json()
    listed = (await client.get(URL, headers=RED)).json()["voices"]
    assert [voice["id"] for voice in listed][-1] == made["id"]
    assert (await client.get(f"{URL}/{made['id']}", headers=RED)).json() == made
    changes = {"name": "Anna", "aliases": ["Annie"]}
    changed = await client.patch(f"{URL}/{made['id']}", json=changes, headers=RED)
    assert (changed.json()["name"], changed.json()["aliases"]) == ("Anna", ["Annie"])
    spoken = await client.post("/v1/audio/speech", json=speech(voice="Annie"), headers=RED)
    assert spoken.status_code == 200
    deleted = await client.delete(f"{URL}/{made['id']}", headers=RED)
    assert deleted.json() == {"object": "audio.voice", "id": made["id"], "deleted": True}
    gone = await client.post("/v1/audio/speech", json=speech(voice=made["id"]), headers=RED)
    assert gone.status_code == 404
    assert stored(folder) == []


async def test_the_answer_tells_what_was_heard_and_the_voice_keeps_it(client):
    noisy = np.concatenate([silence(3), GOOD, silence(3)])
    noisy += 0.03 * np.random.default_rng(1).standard_normal(len(noisy)).astype(np.float32)
    made = (await add(client, sample=encoded(noisy))).json()
    heard = made["heard"]
    assert made["seconds"] == pytest.approx(6.1, abs=0.3)  # without the silence at its ends
    assert heard["speech_s"] == pytest.approx(6.0, abs=0.3)
    assert heard["noise_dbfs"] == pytest.approx(-30.5, abs=1.5)
    assert heard["warnings"] == ["noisy"]
    kept = (await client.get(f"{URL}/{made['id']}", headers=RED)).json()
    assert kept["heard"] == heard


async def test_a_good_recording_has_no_warnings(client):
    assert (await add(client)).json()["heard"]["warnings"] == []


@pytest.mark.parametrize("sender", ["Chrome, Edge, Firefox (WebM, Opus)", "iPhone (M4A, AAC)"])
async def test_a_container_is_taken_whatever_the_name_of_the_file_says(client, sender):
    made = await add(client, sample=contained(GOOD, CONTAINERS[sender]))  # called any.wav
    assert made.status_code == 200, made.text
    assert made.json()["seconds"] == pytest.approx(6.0, abs=0.1)


@pytest.mark.parametrize("name", ["山田 太郎", "Zoë (Test) [2]", "D\u2019Artagnan", "प्रिया"])
async def test_a_voice_with_a_name_of_any_script_speaks_under_it(client, name):
    made = (await add(client, name=name)).json()
    assert made["name"] == name
    assert re.fullmatch("voice_[0-9a-f]{32}", made["id"])
    for spelling in (name, unicodedata.normalize("NFD", name), f" {name} "):
        body = speech(voice=spelling)
        assert (await client.post("/v1/audio/speech", json=body, headers=RED)).status_code == 200
    twice = await add(client, name=unicodedata.normalize("NFD", name))
    assert (twice.status_code, twice.json()["error"]["code"]) == (409, "name_taken")


@pytest.mark.parametrize("voice", ["made", "anna"])
async def test_a_preview_is_a_whole_wav_file(client, voice):
    voice_id = (await add(client)).json()["id"] if voice == "made" else voice
    response = await client.get(f"{URL}/{voice_id}/preview", headers=RED)
    assert response.headers["content-type"] == "audio/wav"
    assert response.headers["content-length"] == str(len(response.content))


async def test_the_voice_of_another_tenant_is_unknown(client):
    voice_id = (await add(client)).json()["id"]
    never = "voice_" + "0" * 32

    async def answers(headers, voice_id):
        url = f"{URL}/{voice_id}"
        told = [
            await client.get(url, headers=headers),
            await client.patch(url, json={"name": "x"}, headers=headers),
            await client.delete(url, headers=headers),
            await client.get(f"{url}/preview", headers=headers),
        ]
        return [(response.status_code, response.content) for response in told]

    assert await answers(BLUE, voice_id) == await answers(BLUE, never)
    assert {status for status, _ in await answers(BLUE, voice_id)} == {404}
    body = speech(voice=voice_id)
    assert (await client.post("/v1/audio/speech", json=body, headers=BLUE)).status_code == 404
    assert voice_id not in (await client.get(URL, headers=BLUE)).text
    assert (await client.get(f"{URL}/{voice_id}", headers=RED)).status_code == 200


async def test_a_key_without_the_role_cannot_make_or_change_voices(client, folder):
    headers = bearer_of("listener")
    voice_id = (await add(client)).json()["id"]
    answers = [
        await add(client, headers),
        await client.patch(f"{URL}/{voice_id}", json={"name": "x"}, headers=headers),
        await client.delete(f"{URL}/{voice_id}", headers=headers),
    ]
    assert {response.status_code for response in answers} == {403}
    body = speech(voice=..., reference_audio=base64.b64encode(b"x").decode())
    cloned = await client.post("/v1/audio/speech", json=body, headers=headers)
    assert cloned.status_code == 403
    assert (await client.get(f"{URL}/{voice_id}", headers=headers)).status_code == 200


@pytest.mark.parametrize(
    ("fields", "param", "status"),
    [
        ({"consent": ...}, "consent", 400),
        ({"consent": "  "}, "consent", 400),
        ({"consent": "x" * 2001}, "consent", 400),
        ({"name": ...}, "name", 400),
        ({"name": "../../etc/passwd"}, "name", 400),
        ({"name": "a/b"}, "name", 400),
        ({"name": "a\0b"}, "name", 400),
        ({"name": "a\r\nb"}, "name", 400),
        ({"name": "x" * 65}, "name", 400),
        ({"name": "a\u202eb"}, "name", 400),
        ({"name": "..."}, "name", 400),
        ({"name": "anna"}, "name", 409),
        ({"path": "/tmp/x"}, "path", 400),
        ({"tenant": "blue"}, "tenant", 400),
        ({"sample": b""}, "audio_sample", 400),
    ],
)
async def test_a_wrong_field_is_named_and_nothing_is_stored(client, folder, fields, param, status):
    response = await add(client, **fields)
    error = response.json()["error"]
    assert (response.status_code, error["param"]) == (status, param)
    assert stored(folder) == []


@pytest.mark.parametrize("name", ["wav with NaN", "elf", "flac of ten minutes of silence"])
async def test_a_hostile_file_is_a_400_and_nothing_is_stored(client, folder, name):
    (content,) = [content for each, content, _ in HOSTILE if each == name]
    response = await add(client, sample=content)
    assert (response.status_code, response.json()["error"]["code"]) == (400, "invalid_audio")
    assert stored(folder) == []


async def test_a_file_over_the_limit_is_not_read_to_its_end(client):
    num_sent = 0

    async def endless():
        nonlocal num_sent
        yield b'--b\r\nContent-Disposition: form-data; name="audio_sample"; filename="x"\r\n\r\n'
        while num_sent < 1000:
            num_sent += 1
            yield b"\0" * 65_536

    headers = {**RED, "content-type": "multipart/form-data; boundary=b"}
    response = await client.post(URL, content=endless(), headers=headers)
    assert response.status_code == 413
    assert num_sent < 170  # 10 MiB


@pytest.mark.parametrize(
    ("kind", "content", "status"),
    [
        ("application/json", b"{}", 415),
        ("multipart/form-data", b"x", 400),
        ("multipart/form-data; boundary=b", b"no part", 400),
        ("multipart/form-data; boundary=b", b"--b\r\n\r\nx\r\n--b--", 400),
    ],
)
async def test_a_body_that_is_not_a_form_is_refused(client, kind, content, status):
    response = await client.post(URL, content=content, headers={**RED, "content-type": kind})
    assert response.status_code == status
    assert set(response.json()["error"]) == {"message", "type", "param", "code"}


@pytest.mark.parametrize("changes", [{"name": 1}, {"aliases": "x"}, {"id": "x"}, {"name": "a/b"}])
async def test_a_wrong_change_is_refused(client, changes):
    made = (await add(client)).json()
    response = await client.patch(f"{URL}/{made['id']}", json=changes, headers=RED)
    assert response.status_code == 400
    assert (await client.get(f"{URL}/{made['id']}", headers=RED)).json() == made


async def test_a_recording_without_a_voice_is_not_stored(client, synthesizer, folder):
    synthesizer.enrol_error = BadRequest("gives no voice", param="voice")
    response = await add(client)
    assert (response.status_code, response.json()["error"]["message"]) == (400, "gives no voice")
    assert stored(folder) == []


@pytest.mark.parametrize("way", ["base64", "data URI", "wrapped", "multipart"])
async def test_reference_audio_is_the_voice_of_one_request(client, synthesizer, folder, way):
    if way != "multipart":
        encode = base64.encodebytes if way == "wrapped" else base64.b64encode
        field = encode(WAV).decode()
        field = f"data:audio/wav;base64,{field}" if way == "data URI" else field
        body = speech(voice=..., reference_audio=field)
        response = await client.post("/v1/audio/speech", json=body, headers=RED)
    else:
        response = await client.post(
            "/v1/audio/speech",
            data={"request": json.dumps(speech(voice=...))},
            files={"reference_audio": ("any.wav", WAV, "audio/wav")},
            headers=RED,
        )
    assert response.status_code == 200, response.text
    assert [request.voice for request in synthesizer.requests] == synthesizer.enrolled
    assert stored(folder) == []


@pytest.mark.parametrize(
    ("changes", "param"),
    [
        ({"reference_audio": "http://example.com/a.wav"}, "reference_audio"),
        ({"reference_audio": ""}, "reference_audio"),
        ({"reference_audio": base64.b64encode(b"x" * 100).decode()}, "reference_audio"),
        ({"reference_audio": "AAAA", "voice": "anna"}, "voice"),
        ({"reference_audio": "AAAA", "input": ""}, "input"),
    ],
)
async def test_a_wrong_reference_audio_is_named(client, synthesizer, changes, param):
    body = speech(**{"voice": ..., **changes})
    response = await client.post("/v1/audio/speech", json=body, headers=RED)
    assert (response.status_code, response.json()["error"]["param"]) == (400, param)
    assert synthesizer.requests == []


async def test_an_error_in_the_speech_leaves_no_reference_audio(client, synthesizer, folder):
    synthesizer.fail_at, synthesizer.error = 0, NotFound("gone")
    body = speech(voice=..., reference_audio=base64.b64encode(WAV).decode())
    response = await client.post("/v1/audio/speech", json=body, headers=RED)
    assert response.status_code == 404
    assert stored(folder) == []


async def test_speech_goes_on_while_a_recording_is_decoded(client):
    adding = asyncio.ensure_future(add(client))
    await asyncio.sleep(0)
    response = await client.post("/v1/audio/speech", json=speech(), headers=RED)
    assert response.status_code == 200
    assert not adding.done()  # its process has not even started
    assert (await adding).status_code == 200


@pytest.mark.parametrize("method", ["POST", "PATCH", "DELETE"])
async def test_a_server_without_a_store_answers_uploads_off(method):
    async with in_process(FakeSynthesizer(), Limits()) as client:
        if method == "POST":
            response = await add(client, None)
        else:
            response = await client.request(method, f"{URL}/x", json={"name": "x"})
    assert (response.status_code, response.json()["error"]["code"]) == (501, "uploads_off")
