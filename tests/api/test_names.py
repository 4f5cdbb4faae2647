"""Names of models, voices and formats as clients write them; errors that say what there is."""

import re
from dataclasses import replace

import pytest

from app.api.model_names import OPENAI_MODELS
from app.errors import ConfigError
from app.voices.library import VoiceLibrary
from app.voices.recordings import Recording
from tests.support.api_clients import in_process, speech
from tests.support.api_keys import bearer_of, key
from tests.support.fakes import ENGLISH, TURBO, FakeSynthesizer
from tests.support.made_voices import BLUE, KEYS, RED
from tests.support.speech_sockets import connected

SPEECH = "/v1/audio/speech"


@pytest.fixture
async def client(synthesizer):
    async with in_process(synthesizer) as client:
        yield client


def kept(library, tenant, name):
    """The id of a voice that the tenant has made."""
    recording = Recording(b"flac", 6.0, None)
    return library.add(tenant, name, recording=recording, consent="yes", made_by=tenant).id


async def refusal_of(client, **changes):
    response = await client.post(SPEECH, json=speech(**changes))
    return response.status_code, response.json()["error"]


@pytest.mark.parametrize("model", [*OPENAI_MODELS, "English", " english ", "TTS-1"])
async def test_openais_names_of_models_mean_the_served_model(client, model):
    response = await client.post(SPEECH, json=speech(model=model))
    assert response.status_code == 200, response.text
    assert response.headers["x-model"] == "english"
    assert (await client.get(f"/v1/models/{model}")).json()["id"] == "english"
    planned = await client.post(f"{SPEECH}/plan", json={"input": "Hi.", "model": model})
    assert planned.status_code == 200


@pytest.mark.parametrize("model", ["sonic-3.6", "SONIC-latest", "eleven_flash_v2_5"])
async def test_a_name_of_another_vendors_models_means_the_served_model_and_is_not_listed(
    client, model
):
    response = await client.post(SPEECH, json=speech(model=model))
    assert (response.status_code, response.headers["x-model"]) == (200, "english")
    (listed,) = (await client.get("/v1/models")).json()["data"]
    assert model not in listed["aliases"]


async def test_an_operators_alias_means_the_served_model_and_is_listed():
    aliases = {"narrator": "english"}
    async with in_process(FakeSynthesizer(), model_aliases=aliases) as client:
        spoken = await client.post(SPEECH, json=speech(model="narrator"))
        (listed,) = (await client.get("/v1/models")).json()["data"]
    assert spoken.status_code == 200
    assert listed["aliases"] == ["narrator", *OPENAI_MODELS]


async def test_a_model_that_is_called_as_openais_is_no_alias_of_itself():
    async with in_process(FakeSynthesizer(replace(TURBO, name="tts-1"))) as client:
        (listed,) = (await client.get("/v1/models")).json()["data"]
    assert (listed["id"], "tts-1" in listed["aliases"]) == ("tts-1", False)


async def test_an_alias_of_another_model_stops_the_start():
    with pytest.raises(ConfigError, match=r"model_aliases\.fast: .*'turbo'; served: 'english'"):
        async with in_process(FakeSynthesizer(), model_aliases={"fast": "turbo"}):
            pass


async def test_the_refusal_of_a_model_names_the_served_one_and_its_aliases(client):
    status, error = await refusal_of(client, model="tts-9")
    assert (status, error["code"], error["param"]) == (404, "model_not_found", "model")
    assert "'tts-9'" in error["message"]
    for name in ("english", "tts-1", "gpt-4o-mini-tts"):
        assert repr(name) in error["message"]


@pytest.mark.parametrize(
    ("asked", "meant"),
    [
        ("ANNA", "anna"),
        (" anna\n", "anna"),
        ("Anna.wav", "anna"),
        ("anna.MP3", "anna"),
        ("S\u00d8REN", "s\u00f8ren"),
        ("Alloy", "default"),
        ({"id": "ECHO"}, "s\u00f8ren"),
    ],
)
async def test_capitals_spaces_and_the_ending_of_a_file_do_not_change_a_voice(
    client, synthesizer, asked, meant
):
    response = await client.post(SPEECH, json=speech(voice=asked))
    assert response.status_code == 200, response.text
    assert synthesizer.requests[-1].voice.name == meant


async def test_a_name_that_is_spelled_as_asked_comes_first(synthesizer, folder):
    library = VoiceLibrary(str(folder))
    made = {name: kept(library, "red", name) for name in ("Ann", "ANN", "Bo")}
    async with in_process(synthesizer, keys=KEYS, library=library) as client:
        for name in ("Ann", "ANN"):
            found = await client.get(f"/v1/audio/pronunciations?voice={name}", headers=RED)
            assert found.json()["voice"] == made[name]
        alike = await client.get("/v1/audio/pronunciations?voice=bo.wav", headers=RED)
        assert alike.json()["voice"] == made["Bo"]
        neither = await client.post(SPEECH, json=speech(voice="ann"), headers=RED)
        assert neither.status_code == 404
        assert {"'Ann'", "'ANN'"} <= set(re.split(r"[ ,;]+", neither.json()["error"]["message"]))


async def test_the_refusal_of_a_voice_names_those_of_the_caller_alone(synthesizer, folder):
    library = VoiceLibrary(str(folder))
    kept(library, "red", "Bela")
    async with in_process(synthesizer, keys=KEYS, library=library) as client:
        refused = {}
        for tenant, headers in (("red", RED), ("blue", BLUE)):
            response = await client.post(SPEECH, json=speech(voice="nobody"), headers=headers)
            refused[tenant] = response.json()["error"]["message"]
    assert "'default', 'anna', 's\u00f8ren', 'Bela'" in refused["red"]
    assert "'default', 'anna', 's\u00f8ren';" in refused["blue"]
    assert "Bela" not in refused["blue"]


async def test_a_long_list_of_voices_is_cut():
    card = replace(ENGLISH, voices=tuple(f"voice-{number}" for number in range(300)))
    async with in_process(FakeSynthesizer(card)) as client:
        _, error = await refusal_of(client, voice="nobody")
    assert "'voice-19', and 280 more" in error["message"]


@pytest.mark.parametrize(
    ("asked", "kind"), [("MP3", "audio/mpeg"), (" wav", "audio/wav"), ("Pcm\n", "audio/pcm")]
)
async def test_a_format_is_folded(client, asked, kind):
    response = await client.post(SPEECH, json=speech(response_format=asked))
    assert response.status_code == 200, response.text
    assert response.headers["content-type"] == kind


@pytest.mark.parametrize("asked", ["ogg-vorbis", "", 3])
async def test_another_format_is_refused_with_those_that_there_are(client, asked):
    status, error = await refusal_of(client, response_format=asked)
    assert (status, error["param"]) == (400, "response_format")
    assert asked == 3 or "'mp3'" in error["message"]


async def test_names_are_folded_on_a_socket_too(synthesizer):
    async with connected(synthesizer) as client:
        names = {"model": "TTS-1", "voice": "ANNA", "response_format": "WAV"}
        await client.start("a", **names)
        assert (await client.next())["type"] == "started"


async def test_both_lists_of_voices_have_what_different_clients_read(client):
    own = (await client.get("/v1/audio/voices")).json()
    assert (await client.get("/v1/voices")).json() == own
    assert {voice["id"]: voice["name"] for voice in own["voices"]}["anna"] == "anna"  # Open WebUI
    assert [voice["voice_id"] for voice in own["voices"]] == ["default", "anna", "s\u00f8ren"]
    assert own["data"] == own["voices"]


async def test_both_lists_of_models_have_what_different_clients_read(client):
    told = (await client.get("/v1/audio/models")).json()
    assert told["models"] == told["data"] == (await client.get("/v1/models")).json()["data"]
    assert (told["object"], told["models"][0]["id"], told["models"][0]["name"]) == (
        "list",
        "english",
        "english",
    )


@pytest.mark.parametrize("path", ["/v1/audio/models", "/v1/voices"])
async def test_the_lists_for_other_clients_need_a_key_too(path):
    keys = (key("red-key", "red", "red", ("speak",)),)
    async with in_process(FakeSynthesizer(), keys=keys) as client:
        assert (await client.get(path)).status_code == 401
        assert (await client.get(path, headers=bearer_of("red-key"))).status_code == 200
