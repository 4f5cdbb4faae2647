"""Pronunciations over HTTP and sockets: of a request, of a voice, and of a tenant."""

import asyncio
import threading

import pytest

from app.api import pronunciations
from app.voices import pronunciation_store
from app.voices.library import VoiceLibrary
from app.voices.pronunciation_store import PronunciationStore
from tests.support import failing_store
from tests.support.api_clients import in_process, speech
from tests.support.api_keys import bearer_of, key
from tests.support.failing_store import FailingStore
from tests.support.fakes import MULTILINGUAL, FakeSynthesizer
from tests.support.made_voices import BLUE, KEYS, RED, add
from tests.support.speech_sockets import connected

URL = "/v1/audio/pronunciations"
LIMITED = key("limited", "limited", "red", ("speak", "voices"), max_pronunciations=1)
SQL = {"term": "SQL", "say": "sequel"}
TEXT = "We like SQL and jazz a lot."


@pytest.fixture
async def client(synthesizer, folder):
    library = VoiceLibrary(str(folder))
    async with in_process(synthesizer, keys=(*KEYS, LIMITED), library=library) as client:
        yield client


async def put(client, *entries, headers=RED, **query):
    body = {"pronunciations": list(entries)}
    return await client.put(URL, json=body, headers=headers, params=query)


async def said(client, synthesizer, headers=RED, **fields):
    """What reaches the synthesizer of TEXT."""
    body = speech(**{"input": TEXT, **fields})
    response = await client.post("/v1/audio/speech", json=body, headers=headers)
    assert response.status_code == 200, response.text
    return " ".join(synthesizer.requests[-1].segments)


async def test_a_list_is_put_read_and_deleted(client):
    entry = {"term": "SQL", "say": "sequel", "language": None, "case_sensitive": False}
    kept = {"voice": None, "pronunciations": [entry]}
    empty = {"voice": None, "pronunciations": []}
    assert (await client.get(URL, headers=RED)).json() == empty
    assert (await put(client, SQL)).json() == kept
    assert (await client.get(URL, headers=RED)).json() == kept
    assert (await client.delete(URL, headers=RED)).json() == empty
    assert (await client.get(URL, headers=RED)).json() == empty


async def test_every_speech_of_the_tenant_uses_its_list(client, synthesizer):
    await put(client, SQL)
    assert "sequel" in await said(client, synthesizer)
    assert "sequel" not in await said(client, synthesizer, BLUE)
    assert (await client.get(URL, headers=BLUE)).json()["pronunciations"] == []


async def test_a_list_of_a_voice_counts_for_that_voice(client, synthesizer):
    made = (await add(client)).json()["id"]
    for voice in (made, "anna"):
        response = await put(client, SQL, voice=voice)
        assert response.json()["voice"] == voice
        assert "sequel" in await said(client, synthesizer, voice=voice)
        assert (await client.delete(URL, headers=RED, params={"voice": voice})).is_success
        assert "sequel" not in await said(client, synthesizer, voice=voice)
    await put(client, SQL, voice="Ann")
    assert "sequel" in await said(client, synthesizer, voice=made)
    assert "sequel" not in await said(client, synthesizer)


async def test_the_request_comes_before_the_voice_and_the_voice_before_the_tenant(
    client, synthesizer
):
    await put(client, {"term": "SQL", "say": "tenant"}, {"term": "jazz", "say": "tenant jazz"})
    assert "tenant and tenant jazz" in await said(client, synthesizer)
    await put(client, {"term": "sql", "say": "voice"}, voice="default")
    assert "voice and tenant jazz" in await said(client, synthesizer)
    own = [{"term": "SQL", "say": "request"}]
    spoken = await said(client, synthesizer, pronunciations=own)
    assert "request and tenant jazz" in spoken


async def test_a_language_limits_a_pronunciation(folder):
    synthesizer = FakeSynthesizer(MULTILINGUAL)
    async with in_process(synthesizer, library=VoiceLibrary(str(folder))) as client:
        await put(client, SQL | {"language": "de"}, headers={})
        german = await said(client, synthesizer, {}, model="multilingual", language="de")
        english = await said(client, synthesizer, {}, model="multilingual", language="en")
    assert ("sequel" in german, "sequel" in english) == (True, False)


async def test_a_socket_uses_them_although_a_term_is_cut(synthesizer):
    async with connected(synthesizer) as client:
        await client.start(pronunciations=[{"term": "New York", "say": "the big apple"}])
        for piece in ("I live in Ne", "w Yo", "rk now."):
            await client.send("text", "c", text=piece)
        await client.send("close", "c")
        await client.until("done")
    (request,) = synthesizer.requests
    assert request.segments == ("I live in the big apple now.",)


@pytest.mark.parametrize(
    ("entries", "told"),
    [
        ([{"term": "SQL"}], "pronunciations[0].say"),
        ([SQL, {"term": "", "say": "x"}], "pronunciations[1].term"),
        ([{"term": "...", "say": "x"}], "pronunciations[0].term"),
        ([{"term": "x", "say": "?"}], "pronunciations[0].say"),
        ([{"term": "x\u0007y", "say": "x"}], "control character"),
        ([{"term": "x" * 101, "say": "x"}], "pronunciations[0].term"),
        ([{"term": "x", "say": "x" * 201}], "pronunciations[0].say"),
        ([{"term": "x", "say": "x", "language": "English"}], "pronunciations[0].language"),
        ([{"term": "x", "say": "x", "case_sensitive": "yes"}], "pronunciations[0].case_sensitive"),
        ([{"term": "x", "say": "x", "more": 1}], "pronunciations[0].more"),
        ([SQL, {"term": "sql", "say": "x"}], "given twice"),
        ([SQL] * 1001, "at most"),
        (SQL, "list"),
    ],
)
async def test_a_wrong_entry_is_named_and_nothing_is_kept(client, entries, told):
    for response in (
        await client.put(URL, json={"pronunciations": entries}, headers=RED),
        await client.post("/v1/audio/speech", json=speech(pronunciations=entries), headers=RED),
    ):
        error = response.json()["error"]
        assert (response.status_code, error["param"]) == (400, "pronunciations")
        assert told in error["message"]
    assert (await client.get(URL, headers=RED)).json()["pronunciations"] == []


async def test_a_request_has_at_most_a_hundred(client):
    entries = [{"term": f"t{number}", "say": "x"} for number in range(101)]
    body = speech(pronunciations=entries[:100])
    assert (await client.post("/v1/audio/speech", json=body, headers=RED)).status_code == 200
    body = speech(pronunciations=entries)
    assert (await client.post("/v1/audio/speech", json=body, headers=RED)).status_code == 400
    assert (await put(client, *entries)).status_code == 200


async def test_the_longest_entries_fit_into_a_body(client):
    widest = "\N{GRINNING FACE}" * 99
    entries = [
        {"term": f"{number:03}" + widest[:97], "say": "x" + widest * 2} for number in range(100)
    ]
    entries = [
        {**entry, "say": entry["say"][:200], "term": entry["term"][:100]} for entry in entries
    ]
    body = speech(pronunciations=entries)
    assert (await client.post("/v1/audio/speech", json=body, headers=RED)).status_code == 200


async def test_a_key_without_the_role_reads_and_cannot_change(client):
    await put(client, SQL)
    headers = bearer_of("listener")
    assert (await client.get(URL, headers=headers)).json()["pronunciations"] != []
    refused = [await put(client, headers=headers), await client.delete(URL, headers=headers)]
    assert {response.status_code for response in refused} == {403}


async def test_max_pronunciations_of_a_key_is_kept(client):
    headers = bearer_of("limited")
    assert (await put(client, SQL, headers=headers)).status_code == 200
    more = await put(client, SQL, headers=headers, voice="anna")
    assert (more.status_code, more.json()["error"]["code"]) == (400, "too_many_pronunciations")


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
async def test_the_list_of_an_unknown_voice_is_a_404(client, method):
    theirs = (await add(client, BLUE)).json()["id"]
    for voice in ("nobody", theirs, ""):
        body = {"json": {"pronunciations": []}} if method == "PUT" else {}
        query = {"voice": voice}
        response = await client.request(method, URL, params=query, headers=RED, **body)
        assert (response.status_code, response.json()["error"]["code"]) == (404, "voice_not_found")


async def test_a_server_without_a_store_has_an_empty_list(synthesizer):
    async with in_process(synthesizer) as client:
        assert (await client.get(URL)).json()["pronunciations"] == []
        for response in (await put(client, SQL, headers={}), await client.delete(URL)):
            assert (response.status_code, response.json()["error"]["code"]) == (501, "uploads_off")
        assert "sequel" in await said(client, synthesizer, {}, pronunciations=[SQL])


# -- a store that fails ----------------------------------------------------------------------------


@pytest.fixture
async def failing(synthesizer, folder, monkeypatch):
    monkeypatch.setattr(FailingStore, "error", None)
    monkeypatch.setattr(FailingStore, "room", None)
    monkeypatch.setattr(pronunciations, "FRESH_S", 0)
    library = VoiceLibrary(f"failing://{folder}")
    async with in_process(synthesizer, keys=KEYS, library=library) as client:
        yield client


async def test_speech_goes_on_with_what_was_read_while_the_store_is_away(
    failing, synthesizer, monkeypatch
):
    await put(failing, SQL)
    assert "sequel" in await said(failing, synthesizer)
    monkeypatch.setattr(FailingStore, "error", failing_store.GONE)
    assert "sequel" in await said(failing, synthesizer)
    assert "sequel" not in await said(failing, synthesizer, BLUE)
    response = await failing.get(URL, headers=RED)
    assert (response.status_code, response.json()["error"]["code"]) == (503, "storage_unavailable")


async def test_speech_does_not_wait_for_a_store_that_hangs(failing, synthesizer, monkeypatch):
    await put(failing, SQL)
    assert "sequel" in await said(failing, synthesizer)
    go_on = threading.Event()
    monkeypatch.setattr(pronunciations, "WITHIN_S", 0.01)
    monkeypatch.setattr(PronunciationStore, "get", lambda *_: go_on.wait(10))
    try:
        async with asyncio.timeout(5):
            for _ in range(2 * pronunciations.NUM_READERS):
                assert "sequel" in await said(failing, synthesizer)
    finally:
        go_on.set()


def test_a_list_is_fresh_for_half_a_second():
    """The documentation promises half a second."""
    assert pronunciation_store.FRESH_S == 0.5
