"""Texts as people write them, through the public interface: over HTTP and over sockets."""
# ruff: noqa: RUF001

import json
from dataclasses import replace

import httpx
import pytest
import websockets

from app.voices.library import VoiceLibrary
from tests.support.api_clients import in_process, serving, speech
from tests.support.api_keys import bearer_of
from tests.support.fakes import ENGLISH, MULTILINGUAL, FakeSynthesizer
from tests.support.made_voices import KEYS, RED
from tests.support.speech_sockets import Client, connected

ASCII = "".join(map(chr, range(32, 127)))
READS_ASCII = replace(ENGLISH, characters=ASCII)
SPEECH, PLAN = "/v1/audio/speech", "/v1/audio/speech/plan"
CARTESIA = {
    "model_id": "english",
    "voice": {"mode": "id", "id": "anna"},
    "output_format": {"container": "wav", "encoding": "pcm_s16le", "sample_rate": 24_000},
}
ROUTES = {
    SPEECH: lambda text: speech(input=text),
    PLAN: lambda text: {"input": text},
    "/tts/bytes": lambda text: {**CARTESIA, "transcript": text},
    "/tts/sse": lambda text: {**CARTESIA, "transcript": text},
    "/v1/text-to-speech/anna": lambda text: {"text": text},
    "/v1/text-to-speech/anna/stream": lambda text: {"text": text},
    "/v1/speak": lambda text: {"text": text},
    "/jambonz/synthesize": lambda text: {"text": text, "type": "text", "voice": "anna"},
}
DOCUMENTS = [
    "<speak>Hi <audio src='x'/> all</speak>",
    "<?xml version='1.0'?>\n<speak>Hi <audio/> all</speak>",
    "<!-- made by hand --> <speak>Hi <audio/> all</speak>",
    "\ufeff<speak>Hi <audio/> all</speak>",
    "<?xml version='1.0'?><p>Hi <audio/> all</p>",
]


def segments_of(synthesizer):
    return [" ".join(request.segments) for request in synthesizer.requests]


async def over_socket(client, text, **fields):
    """The last message of a context."""
    await client.start(**fields)
    await client.send("text", "c", text=text)
    await client.send("close", "c")
    return (await client.until("done", "error"))[-1]


@pytest.mark.parametrize(
    ("fields", "said"),
    [({"normalise": "off"}, "It costs $5."), ({}, "It costs five dollars.")],
)
async def test_normalise_off_leaves_a_text_as_written(synthesizer, fields, said):
    async with in_process(synthesizer) as client:
        body = speech(input="It costs $5.", **fields)
        assert (await client.post(SPEECH, json=body)).status_code == 200
    async with connected(synthesizer) as client:
        assert (await over_socket(client, "It costs $5.", **fields))["type"] == "done"
    assert segments_of(synthesizer) == [said, said]


async def test_a_socket_uses_the_kept_pronunciations_of_its_tenant(synthesizer, folder):
    library = VoiceLibrary(str(folder))
    entries = {"pronunciations": [{"term": "SQL", "say": "sequel"}]}
    with serving(synthesizer, keys=KEYS, library=library) as url:
        async with httpx.AsyncClient(base_url=url, headers=RED) as client:
            kept = await client.put("/v1/audio/pronunciations", json=entries)
            assert kept.status_code == 200
        address = f"{url.replace('http', 'ws')}/v1/audio/speech/stream"
        for name in ("red", "blue"):
            headers = bearer_of(name)
            async with websockets.connect(address, additional_headers=headers) as socket:
                assert (await over_socket(Client(socket), "We like SQL a lot."))["type"] == "done"
    assert segments_of(synthesizer) == ["We like sequel a lot.", "We like S Q L a lot."]


async def test_letters_that_the_model_cannot_read_are_refused_by_name():
    synthesizer = FakeSynthesizer(READS_ASCII)
    async with in_process(synthesizer) as client:
        for stream in (None, False):
            answer = await client.post(SPEECH, json=speech(input="Привет вам.", stream=stream))
            error = answer.json()["error"]
            assert (answer.status_code, error["code"]) == (400, "unsupported_characters")
    async with connected(synthesizer) as client:
        last = await over_socket(client, "Привет вам. ")
        assert (last["type"], last["error"]["code"]) == ("error", "unsupported_characters")
        last = await over_socket(client, "Привет вам. Hello to all. ")
        assert last["type"] == "done"
    assert [said.strip(" .") for said in segments_of(synthesizer)] == ["Hello to all"]


@pytest.mark.parametrize("text", DOCUMENTS)
@pytest.mark.parametrize("route", ROUTES)
async def test_an_unknown_element_of_ssml_is_named_in_a_400_of_every_route(route, text):
    synthesizer = FakeSynthesizer()
    async with in_process(synthesizer) as client:
        answer = await client.post(route, json=ROUTES[route](text))
    assert answer.status_code == 400
    assert "audio" in answer.text
    assert "SSML" in answer.text
    assert synthesizer.requests == []


@pytest.mark.parametrize("text", DOCUMENTS)
async def test_it_is_named_on_a_socket(synthesizer, text):
    async with connected(synthesizer) as client:
        last = await over_socket(client, text)
    assert (last["type"], last["error"]["code"]) == ("error", "unsupported_ssml")
    assert "audio" in json.dumps(last)


DECIMALS = {
    "hi": ("यह बहुत लंबा वाक्य है ", "३.१४", "तीन दशमलव एक चार"),
    "bn": ("এটি একটি লম্বা বাক্য ", "৩.১৪", None),
    "mr": ("हे एक लांब वाक्य आहे ", "३.१४", None),
    "ar": ("هذه جملة طويلة جدا ", "٣٫١٤", "ثلاثة فاصل واحد أربعة"),
    "fa": ("این یک جمله بلند است ", "۳٫۱۴", None),
    "th": ("นี่คือประโยคที่ยาวมาก ", "๓.๑๔", None),
}


@pytest.mark.parametrize("language", DECIMALS)
async def test_a_decimal_in_native_digits_is_never_cut(language):
    words, written, said = DECIMALS[language]
    card = replace(MULTILINGUAL, languages=(*DECIMALS, "en"))
    synthesizer = FakeSynthesizer(card)
    text = f"{words}{written}! " * 30
    async with in_process(synthesizer) as client:
        body = speech(model="multilingual", input=text, language=language)
        assert (await client.post(SPEECH, json=body)).status_code == 200
    async with connected(synthesizer) as client:
        last = await over_socket(client, text, model="multilingual", language=language)
        assert last["type"] == "done"
    whole, *takes = synthesizer.requests
    for parts in (whole.segments, [part for take in takes for part in take.segments]):
        assert len(parts) > 2
        assert sum(part.count(said or written) for part in parts) == 30


QUOTED = "He said: “They came here at noon. They all saw it there. They left again at dusk.” "


async def test_a_quotation_in_pieces_is_cut_at_its_full_stops_alone(synthesizer):
    async with connected(synthesizer) as client:
        await client.start()
        text = QUOTED * 3
        for at in range(0, len(text), 7):
            await client.send("text", "c", text=text[at : at + 7])
        await client.send("close", "c")
        assert (await client.until("done"))[-1]["type"] == "done"
    parts = [part for request in synthesizer.requests for part in request.segments]
    assert " ".join(parts).split() == text.split()
    assert len(parts) > 3
    assert all(part.rstrip("”").endswith(".") for part in parts[1:])
