"""Bodies as clients send them: encodings, compression, and fields of forms by other names."""

import gzip
import json
import zlib

import pytest

from app.voices.library import VoiceLibrary
from tests.support.api_clients import in_process, speech

JSON = {"Content-Type": "application/json"}
TEXT = "Caf\u00e9 cr\u00e8me"
BODY = json.dumps(speech(input=TEXT), ensure_ascii=False)
SPEECH = "/v1/audio/speech"


@pytest.fixture
async def client(synthesizer):
    async with in_process(synthesizer) as client:
        yield client


async def refusal_of(client, content, path=SPEECH, **headers):
    response = await client.post(path, content=content, headers=JSON | headers)
    error = response.json()["error"]
    return response.status_code, error["code"], error["message"]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
@pytest.mark.parametrize("kind", ["application/json", "application/json; charset=utf-8"])
async def test_utf_8_is_taken_with_and_without_a_byte_order_mark(
    client, synthesizer, encoding, kind
):
    headers = {"Content-Type": kind}
    response = await client.post(SPEECH, content=BODY.encode(encoding), headers=headers)
    assert response.status_code == 200, response.text
    assert synthesizer.requests[0].segments == (TEXT,)


@pytest.mark.parametrize("path", [SPEECH, f"{SPEECH}/plan", "/api/vox_speak_wav"])
@pytest.mark.parametrize(
    ("encoding", "told"),
    [
        ("latin-1", "another encoding, such as Latin-1 (byte 34)"),
        ("cp1252", "another encoding, such as Latin-1 (byte 34)"),
        ("utf-16", "UTF-16 or UTF-32"),
        ("utf-16-le", "UTF-16 or UTF-32"),
        ("utf-16-be", "UTF-16 or UTF-32"),
        ("utf-32", "UTF-16 or UTF-32"),
        ("utf-32-be", "UTF-16 or UTF-32"),
    ],
)
async def test_a_body_in_another_encoding_is_told_that_it_must_be_utf_8(
    client, path, encoding, told
):
    status, code, message = await refusal_of(client, BODY.encode(encoding), path)
    assert (status, code) == (400, "invalid_json")
    assert message == f"the body must be UTF-8, and it looks like {told}"


async def test_a_body_that_is_broken_utf_8_json_says_where(client):
    assert await refusal_of(client, b'{"model": ') == (
        400,
        "invalid_json",
        "the body is not valid JSON at character 10",
    )


@pytest.mark.parametrize(
    ("coding", "content"),
    [("gzip", gzip.compress(BODY.encode())), ("deflate", zlib.compress(BODY.encode()))],
    ids=["gzip", "deflate"],  # the same in each process of pytest-xdist: gzip writes the time
)
async def test_a_compressed_body_is_refused_by_its_coding(client, coding, content):
    status, code, message = await refusal_of(client, content, **{"Content-Encoding": coding})
    assert (status, code) == (415, "unsupported_media_type")
    assert message == f"the body has the Content-Encoding '{coding}'; send it without one"


async def test_a_compressed_body_without_the_header_is_told_what_it_looks_like(client):
    status, code, message = await refusal_of(client, gzip.compress(BODY.encode()))
    assert (status, code) == (400, "invalid_json")
    assert message.endswith("it looks like compressed (gzip)")


async def test_the_coding_identity_is_none(client):
    headers = JSON | {"Content-Encoding": "identity"}
    assert (await client.post(SPEECH, content=BODY.encode(), headers=headers)).status_code == 200


@pytest.fixture
async def keeping(synthesizer, folder):
    """A client of a server that keeps voices."""
    async with in_process(synthesizer, library=VoiceLibrary(str(folder))) as client:
        yield client


VOICES = "/v1/audio/voices"
FILE = ("any.wav", b"RIFF", "audio/wav")


@pytest.mark.parametrize("name", ["voice_file", "file", "audio", "audio_file", "reference_audio"])
async def test_a_file_by_another_name_is_told_the_names_that_are_taken(keeping, name):
    form = {"name": "Ann", "consent": "I agree."}
    response = await keeping.post(VOICES, data=form, files={name: FILE})
    error = response.json()["error"]
    assert (response.status_code, error["code"], error["param"]) == (400, "unknown_field", name)
    assert error["message"] == (
        f"unknown field '{name}'; the fields are name, consent (text) and audio_sample (file)"
    )


@pytest.mark.parametrize("name", ["voice_name", "label", "voice"])
async def test_a_text_by_another_name_is_told_the_names_that_are_taken(keeping, name):
    form = {name: "Ann", "consent": "I agree."}
    response = await keeping.post(VOICES, data=form, files={"audio_sample": FILE})
    error = response.json()["error"]
    assert (error["code"], error["param"]) == ("unknown_field", name)
    assert "the fields are name, consent (text) and audio_sample (file)" in error["message"]


async def test_a_field_of_the_wrong_kind_is_told_its_kind(keeping):
    sent = {"name": (None, "Ann"), "consent": (None, "yes"), "audio_sample": (None, "UklGRg==")}
    response = await keeping.post(VOICES, files=sent)
    assert response.json()["error"]["message"] == "audio_sample: the field must be a file"
    sent = {"name": FILE, "consent": (None, "yes"), "audio_sample": FILE}
    response = await keeping.post(VOICES, files=sent)
    assert response.json()["error"]["message"] == "name: the field must be text"


@pytest.mark.parametrize("coding", ["gzip", "br"])
async def test_a_compressed_form_is_refused_by_its_coding(keeping, coding):
    form = {"name": "Ann", "consent": "I agree."}
    headers = {"Content-Encoding": coding}
    response = await keeping.post(VOICES, data=form, files={"audio_sample": FILE}, headers=headers)
    assert response.status_code == 415
    assert coding in response.json()["error"]["message"]
