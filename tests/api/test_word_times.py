"""Word times over HTTP: before or with their sound, in the caller's words."""

import asyncio
import base64

import pytest

from app.audio.formats import FORMATS
from app.core import SAMPLE_RATE
from app.errors import SynthesisFailed
from app.word_marks import WordTime
from tests.support.api_clients import events_of, in_process, speech
from tests.support.api_keys import bearer_of, key
from tests.support.live_synthesizer import CHUNK_TOKENS, LiveSynthesizer
from tests.support.timed_text import HEARD, TEXT, TIMES, TOKEN, TOLD, synthesizer, told


def sse(**changes):
    fields = {"input": TEXT, "response_format": "pcm", "stream_format": "sse"}
    return speech(**{**fields, "timestamps": "word", **changes})


async def spoken(client, session_id="s", **changes):
    body = sse(**changes)
    return await client.post("/v1/audio/speech", json=body, headers={"X-Request-ID": session_id})


async def test_each_word_is_told_before_or_with_its_sound():
    async with in_process(synthesizer()) as client:
        events = events_of((await spoken(client)).text)
    sound_ms, words = 0.0, []
    for event in events:
        if event["type"] == "speech.audio.words":
            words += told(event["words"])
            assert all(word["start_ms"] >= sound_ms for word in event["words"])
            assert event["estimated"] is False
        elif event["type"] == "speech.audio.delta":
            sound_ms += len(base64.b64decode(event["audio"])) / 2 / SAMPLE_RATE * 1e3
    assert words == TOLD
    assert all(TEXT[start:end] == text for text, start, end, _, _ in words)


async def test_words_are_told_on_request_alone():
    async with in_process(synthesizer()) as client:
        response = await spoken(client, timestamps=...)
    assert "speech.audio.words" not in response.text


@pytest.mark.parametrize("name", ["mp3", "aac", "opus", "flac"])
async def test_times_are_those_of_the_decoded_sound(name):
    async with in_process(synthesizer()) as client:
        events = events_of((await spoken(client, response_format=name, speed=2.0)).text)
    [first, *_] = next(e["words"] for e in events if e["type"] == "speech.audio.words")
    delay_ms = FORMATS[name].delay_s(SAMPLE_RATE) * 1e3
    assert first["start_ms"] == pytest.approx(40 / 2 + delay_ms, abs=0.001)
    assert (delay_ms > 0) == (name in ("mp3", "aac"))


async def test_pauses_of_the_text_move_its_words():
    text = f"[pause:0.5s] {TEXT}"
    async with in_process(synthesizer()) as client:
        events = events_of((await spoken(client, input=text)).text)
    [first, *_] = next(e["words"] for e in events if e["type"] == "speech.audio.words")
    assert first["start_ms"] == 540
    assert text[first["char_start"] : first["char_end"]] == "It"


async def test_estimated_times_are_said_to_be_so():
    times = [WordTime(w.segment, w.word, w.start, w.end, is_estimate=True) for w in TIMES]
    async with in_process(synthesizer(times)) as client:
        events = events_of((await spoken(client)).text)
        words = (await client.get("/v1/sessions/s/words")).json()
        captions = await client.get("/v1/sessions/s/captions.vtt")
    assert {e["estimated"] for e in events if e["type"] == "speech.audio.words"} == {True}
    assert words["estimated"] is True
    assert captions.headers["x-words-estimated"] == "true"


async def test_an_engine_that_marks_no_word_gets_estimates():
    async with in_process(synthesizer(words=())) as client:
        await spoken(client)
        words = (await client.get("/v1/sessions/s/words")).json()
    assert [word["text"] for word in words["words"]] == TEXT.split()
    assert words["estimated"] is True
    assert words["words"][-1]["end_ms"] == words["audio_ms"] == 600


async def test_a_whole_file_names_the_place_of_its_words():
    async with in_process(synthesizer()) as client:
        body = speech(input=TEXT, stream=False, timestamps="word")
        response = await client.post("/v1/audio/speech", json=body, headers={"X-Request-ID": "s"})
        path = response.links["describedby"]["url"]
        words = (await client.get(path)).json()
    assert path == "/v1/sessions/s/words"
    delay_ms = 1105 / SAMPLE_RATE * 1e3  # of mp3
    assert words["session_id"] == "s"
    assert words["words"][0]["start_ms"] == pytest.approx(40 + delay_ms, abs=0.001)
    assert words["audio_ms"] == pytest.approx(600 + delay_ms, abs=0.001)


async def test_captions_of_a_session_that_has_ended():
    async with in_process(synthesizer()) as client:
        await spoken(client)
        vtt = await client.get("/v1/sessions/s/captions.vtt")
        srt = await client.get("/v1/sessions/s/captions.srt")
    assert vtt.headers["content-type"] == "text/vtt; charset=utf-8"
    assert vtt.headers["x-words-estimated"] == "false"
    assert vtt.text == f"WEBVTT\n\n00:00:00.040 --> 00:00:00.560\n{TEXT}\n"
    assert srt.text == f"1\n00:00:00,040 --> 00:00:00,560\n{TEXT}\n"


@pytest.mark.parametrize("part", ["words", "captions.vtt", "captions.srt"])
async def test_words_of_an_unknown_session_are_not_found(part):
    async with in_process(synthesizer()) as client:
        response = await client.get(f"/v1/sessions/nobody/{part}")
        bad = await client.get(f"/v1/sessions/{'x' * 200}/{part}")
    assert (response.status_code, response.json()["error"]["code"]) == (404, "session_not_found")
    assert bad.status_code == 400


PARTS = ("words", "captions.vtt", "captions.srt")


async def test_words_of_another_tenant_are_those_of_an_unknown_session():
    keys = (key("red-key", "red", "red"), key("blue-key", "blue", "blue"))
    red, blue = bearer_of("red-key"), bearer_of("blue-key")
    async with in_process(synthesizer(), keys=keys) as client:
        named = {**red, "X-Request-ID": "s"}
        await client.post("/v1/audio/speech", json=sse(), headers=named)
        for part in PARTS:
            own = await client.get(f"/v1/sessions/s/{part}", headers=red)
            others = await client.get(f"/v1/sessions/s/{part}", headers=blue)
            unknown = await client.get(f"/v1/sessions/nobody/{part}", headers=blue)
            assert own.status_code == 200
            assert others.status_code == unknown.status_code == 404
            assert others.json() == unknown.json()
            assert (await client.get(f"/v1/sessions/s/{part}")).status_code == 401
        other_cancel = await client.post("/cancel/s", json={"played_ms": 80}, headers=blue)
        own_cancel = await client.post("/cancel/s", json={"played_ms": 200}, headers=red)
    assert other_cancel.json()["heard"] is None
    assert own_cancel.json()["heard"] == {**HEARD, "audio_ms": 200.0}


class Failing(LiveSynthesizer):
    """Its engine fails after the second chunk."""

    async def _chunks(self, request):
        async for chunk in super()._chunks(request):
            if chunk.start >= 2 * CHUNK_TOKENS * TOKEN:
                raise SynthesisFailed("the model failed")
            yield chunk


async def test_a_session_that_failed_has_the_words_that_were_sent():
    async with in_process(Failing(5, 0.0, words=TIMES), breaks_off=True) as client:
        events = events_of((await spoken(client)).text)
        words, captions, subtitles = [await client.get(f"/v1/sessions/s/{part}") for part in PARTS]
        heard = (await client.post("/cancel/s")).json()["heard"]
    assert events[-1]["type"] == "speech.audio.error"
    assert told(words.json()["words"]) == TOLD[:3]
    assert words.json()["audio_ms"] == 400
    assert captions.text.endswith("--> 00:00:00.400\nIt costs $5\n")
    assert subtitles.status_code == 200
    assert (heard["text"], heard["audio_ms"]) == ("It costs $5", 400)


@pytest.mark.parametrize(
    ("changes", "param"),
    [
        ({"timestamps": "phoneme"}, "timestamps"),
        ({"timestamps": True}, "timestamps"),
        ({"timestamps": "word", "stream_format": "audio"}, "timestamps"),
        ({"timestamps": "word", "stream_format": ...}, "timestamps"),
    ],
)
async def test_a_wrong_value_is_refused_by_its_name(changes, param):
    async with in_process(synthesizer()) as client:
        response = await spoken(client, **changes)
    assert response.status_code == 400
    assert response.json()["error"]["param"] == param


# What was heard


@pytest.mark.parametrize("method", ["POST", "DELETE"])
async def test_a_cancel_after_the_last_byte_says_what_was_heard(method):
    path = {"POST": "/cancel/s", "DELETE": "/v1/audio/speech/s"}[method]
    async with in_process(synthesizer()) as client:
        await spoken(client)
        ack = await client.request(method, path, json={"played_ms": 200})
        report = (await client.get("/v1/sessions/s")).json()
    assert ack.json()["state"] == "already_done"
    assert ack.json()["heard"] == report["heard"] == {**HEARD, "audio_ms": 200.0}


@pytest.mark.parametrize(("played_ms", "text"), [(0, ""), (1e9, TEXT)])
async def test_a_playout_clock_may_lie_outside_of_the_sound(played_ms, text):
    async with in_process(synthesizer()) as client:
        await spoken(client)
        first = (await client.post("/cancel/s", json={"played_ms": played_ms})).json()["heard"]
        again = (await client.post("/cancel/s", json={"played_ms": 200})).json()["heard"]
    assert first == again  # the first counts
    assert (first["text"], first["audio_ms"]) == (text, min(played_ms, 600))


async def test_nothing_was_heard_of_a_whole_file_that_was_cancelled():
    async with in_process(LiveSynthesizer(5, 0.02, words=TIMES)) as client:
        body = speech(input=TEXT, stream=False, timestamps="word", response_format="wav")
        headers = {"X-Request-ID": "s"}
        speaking = asyncio.ensure_future(
            client.post("/v1/audio/speech", json=body, headers=headers)
        )
        await asyncio.sleep(0.05)
        ack = (await client.post("/cancel/s", json={"played_ms": 40})).json()
        assert (await speaking).status_code == 204
        parts = ("words", "captions.vtt", "captions.srt")
        told = [await client.get(f"/v1/sessions/s/{part}") for part in parts]
    assert (ack["heard"]["text"], ack["heard"]["audio_ms"]) == ("", 0)
    assert [each.status_code for each in told] == [200] * 3
    assert (told[0].json()["words"], told[1].text, told[2].text) == ([], "WEBVTT\n", "")


async def test_without_a_playout_clock_all_that_was_sent_was_heard():
    async with in_process(synthesizer()) as client:
        await spoken(client)
        heard = (await client.post("/cancel/s")).json()["heard"]
        report = (await client.get("/v1/sessions/s")).json()
    assert (heard["text"], heard["audio_ms"]) == (TEXT, 600)
    assert report["heard"] is None  # it was not cut


@pytest.mark.parametrize("body", ['{"played_ms": -1}', '{"played_ms": "200"}', '{"played_ms": NaN}',
                                  '{"played_ms": true}', '{"played_ms": 1e300}'])  # fmt: skip
async def test_a_wrong_playout_clock_is_refused_by_its_name(body):
    fake = synthesizer()
    async with in_process(fake) as client:
        headers = {"Content-Type": "application/json"}
        response = await client.post("/cancel/s", content=body, headers=headers)
        unknown = await client.post("/cancel/s", json={"played_s": 1})
        session = await client.get("/v1/sessions/s")
    assert response.status_code == unknown.status_code == 400
    assert response.json()["error"]["param"] == "played_ms"
    assert unknown.json()["error"]["param"] == "played_s"
    assert session.status_code == 404  # nothing was cancelled
