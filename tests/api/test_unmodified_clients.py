"""Clients that nobody changed for this server: curl, wget, OpenAI's Python SDK. Open WebUI by the
shapes of its requests (its routers/audio.py)."""

import json
import shutil
import subprocess

import httpx
import openai
import pytest

from app.api.model_names import OPENAI_MODELS
from app.voices.catalogue import OPENAI_VOICES
from app.voices.library import VoiceLibrary
from tests.support.api_clients import serving
from tests.support.api_keys import key
from tests.support.containers import CONTAINERS, contained
from tests.support.decoding import decode
from tests.support.fakes import FakeSynthesizer
from tests.support.hostile_uploads import GOOD

pytestmark = pytest.mark.long

SECRET = "red-key"
KEYS = (key(SECRET, "red", "red", ("speak", "voices")),)
OPEN_WEBUI_DEFAULTS = ("alloy", "echo", "fable", "onyx", "nova", "shimmer")
SPEECH = {"model": "tts-1", "input": "Hello there.", "voice": "alloy"}


@pytest.fixture
def open_server():
    with serving(FakeSynthesizer()) as url:
        yield url


@pytest.fixture
def keyed_server(tmp_path):
    library = VoiceLibrary(str(tmp_path / "library"))
    with serving(FakeSynthesizer(), keys=KEYS, library=library) as url:
        yield url


def run(*command, status=0):
    if shutil.which(command[0]) is None:
        pytest.skip(f"no {command[0]} here")
    done = subprocess.run(command, capture_output=True, timeout=60, check=False)
    assert done.returncode == status, done.stderr.decode()
    return done


# -- curl ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/v1/audio/speech", "/v1/audio/speech/", "//v1//audio/speech"])
@pytest.mark.parametrize("kind", ["mp3", "opus", "flac", "wav"])
def test_curl_saves_speech(open_server, tmp_path, path, kind):
    out = tmp_path / f"speech.{kind}"
    body = json.dumps(SPEECH | {"response_format": kind})
    head = ("curl", "-sS", "--fail-with-body", "--path-as-is", "-o", str(out))
    run(*head, "-H", "Content-Type: application/json", "-d", body, open_server + path)
    assert len(decode(kind, out.read_bytes())) > 1000


def test_curl_clones_a_voice_speaks_with_it_and_hears_a_part_of_its_preview(keyed_server, tmp_path):
    recording = tmp_path / "Meine Stimme (1).m4a"
    recording.write_bytes(contained(GOOD, CONTAINERS["iPhone (M4A, AAC)"]))
    auth, url = ("-H", f"Authorization: Bearer {SECRET}"), f"{keyed_server}/v1/audio/voices"
    fields = ("-F", "name=Bj\u00f6rn (home)", "-F", "consent=I agree")
    made = run("curl", "-sS", *auth, *fields, "-F", f"audio_sample=@{recording}", url)
    voice = json.loads(made.stdout)
    assert voice["name"] == "Bj\u00f6rn (home)"
    assert voice["heard"]["warnings"] == []
    body = json.dumps(SPEECH | {"voice": voice["name"], "response_format": "wav"})
    head = ("curl", "-sS", *auth, "-H", "Content-Type: application/json", "-d", body)
    assert run(*head, f"{keyed_server}/v1/audio/speech").stdout[:4] == b"RIFF"
    part = run("curl", "-sSi", *auth, "-r", "0-1", f"{url}/{voice['id']}/preview").stdout
    head, _, sound = part.partition(b"\r\n\r\n")
    assert b" 206 " in head.splitlines()[0]
    assert b"content-range: bytes 0-1/" in head.lower()
    assert sound == b"RI"


# -- wget ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/", "/health", "/v1/models", "/v1/audio/voices"])
def test_wget_finds_that_the_server_is_up(open_server, path):
    told = run("wget", "--spider", "--tries=1", open_server + path).stderr
    assert b"200 OK" in told


def test_wget_finds_that_a_page_is_missing(open_server):
    run("wget", "--spider", "--tries=1", f"{open_server}/nothing", status=8)


# -- OpenAI's Python SDK ---------------------------------------------------------------------------


@pytest.mark.parametrize("base", ["", "/", "/v1", "/v1/", "/v1/v1"])
@pytest.mark.parametrize("model", OPENAI_MODELS)
def test_openais_sdk_speaks_with_openais_names_whatever_its_base_url(keyed_server, base, model):
    with openai.OpenAI(base_url=keyed_server + base, api_key=SECRET, max_retries=0) as client:
        spoken = client.audio.speech.create(
            model=model, input="Hello there.", voice="nova", response_format="opus"
        )
        assert len(decode("opus", spoken.read())) > 1000
        assert client.models.retrieve(model).id == "english"


def test_openais_sdk_is_told_what_there_is(keyed_server):
    with openai.OpenAI(base_url=f"{keyed_server}/v1", api_key=SECRET, max_retries=0) as client:
        with pytest.raises(openai.NotFoundError, match="english"):
            client.audio.speech.create(model="tts-9", input="Hello.", voice="alloy")
        with pytest.raises(openai.NotFoundError, match="anna"):
            client.audio.speech.create(model="tts-1", input="Hello.", voice="nobody")


# -- Open WebUI ------------------------------------------------------------------------------------


def test_open_webui_lists_models_and_voices_and_speaks(open_server):
    with httpx.Client(base_url=f"{open_server}/v1") as client:
        models = client.get("/audio/models").raise_for_status().json().get("models", [])
        voices = client.get("/audio/voices").raise_for_status().json().get("voices", [])
        names = {voice["id"]: voice["name"] for voice in voices}
        assert [model["id"] for model in models] == ["english"]
        assert names
        for voice in (*names, *OPEN_WEBUI_DEFAULTS):
            spoken = client.post(
                "/audio/speech",
                json={"model": models[0]["id"], "input": "Hello there.", "voice": voice},
                headers={
                    "Authorization": "Bearer none",
                    "X-OpenWebUI-User-Name": "Ann",
                    "X-OpenWebUI-User-Role": "admin",
                },
            )
            assert len(decode("mp3", spoken.raise_for_status().content)) > 1000


def test_open_webui_speaks_with_its_defaults_where_keys_are_needed(keyed_server):
    """It sends its key for speech alone, and falls back to OpenAI's names."""
    with httpx.Client(base_url=f"{keyed_server}/v1") as client:
        assert client.get("/audio/models").status_code == 401
        assert set(OPEN_WEBUI_DEFAULTS) <= set(OPENAI_VOICES)
        auth = {"Authorization": f"Bearer {SECRET}"}
        for voice in OPEN_WEBUI_DEFAULTS:
            spoken = client.post("/audio/speech", json=SPEECH | {"voice": voice}, headers=auth)
            assert spoken.status_code == 200
