"""Word times over HTTP and over the socket: before or with their sound, in the caller's words."""

import asyncio
import base64
import json
from contextlib import AsyncExitStack

import httpx
import pytest
import websockets

from app.audio.formats import FORMATS
from app.core import SAMPLE_RATE
from app.word_marks import WordTime
from tests.support.api_clients import events_of, in_process, serving, speech
from tests.support.live_synthesizer import LiveSynthesizer
from tests.support.speech_sockets import Client, connected
from tests.support.timed_words import TEXT, TIMES, TOLD, synthesizer

SOCKET_TEXT = f"  {TEXT}"


def told(words):
    fields = ("text", "char_start", "char_end", "start_ms", "end_ms")
    return [tuple(word[name] for name in fields) for word in words]


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

HEARD = {"text": "It costs", "last_word": "costs", "char_end": 8, "is_estimate": False}


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


# Over the socket


async def say(client, text=SOCKET_TEXT, context_id="c", **fields):
    await client.start(context_id, timestamps="word", normalise="on", **fields)
    await client.send("text", context_id, text=text)
    await client.send("close", context_id)
    return await client.until("done", context_id=context_id)


async def test_the_socket_tells_words_before_their_sound():
    async with connected(synthesizer()) as client:
        messages = await say(client)
    sound_ms, words = 0.0, []
    for message in messages:
        if message["type"] == "words":
            words += message["words"]
            assert message["estimated"] is False
            assert all(word["start_ms"] >= sound_ms for word in message["words"])
        elif message["type"] == "audio":
            sound_ms += len(message["bytes"]) / 2 / SAMPLE_RATE * 1e3
    assert told(words) == [(t, a + 2, b + 2, start, end) for t, a, b, start, end in TOLD]


async def test_the_words_of_later_takes_follow_in_the_same_text_and_sound():
    text = "It costs five dollars today.  And it costs five dollars more now. Yes."
    async with connected(synthesizer()) as client:
        messages = await say(client, text)
    words = [word for m in messages if m["type"] == "words" for word in m["words"]]
    assert all(text[word["char_start"] : word["char_end"]] == word["text"] for word in words)
    assert [word["char_start"] for word in words] == sorted(word["char_start"] for word in words)
    second = next(word for word in words if word["text"] == "And")
    assert second["start_ms"] == 640  # the first take has 600 ms


async def test_a_cancel_over_the_socket_says_what_was_heard():
    async with connected(synthesizer(num_chunks=200)) as client:
        await client.start(timestamps="word")
        await client.send("text", "c", text=TEXT)
        await client.send("flush", "c")
        while len(await client.until("audio")) == 0:
            pass
        for _ in range(4):
            await client.until("audio")
        await client.send("cancel", "c", played_ms=300)
        [*_, ack] = await client.until("cancelled")
    assert ack["heard"] == {**HEARD, "audio_ms": 300.0}


async def test_every_cancel_of_a_context_says_what_the_first_said():
    async with connected(synthesizer(num_chunks=200)) as client:
        await client.start(timestamps="word")
        await client.send("text", "c", text=TEXT)
        await client.send("flush", "c")
        for _ in range(4):
            await client.until("audio")
        for played_ms in (300, 500, 0):  # the second comes before the first is answered
            await client.send("cancel", "c", played_ms=played_ms)
        acks = [(await client.until("cancelled"))[-1] for _ in range(3)]
        await client.send("cancel", "c", played_ms=500)
        acks += (await client.until("cancelled"))[-1:]
    assert [ack["heard"] for ack in acks] == [{**HEARD, "audio_ms": 300.0}] * 4


async def test_a_context_that_is_cancelled_before_its_first_sound_was_not_heard():
    async with connected(LiveSynthesizer(3, 5.0, words=TIMES)) as client:
        await client.start(timestamps="word")
        await client.send("cancel", "c", played_ms=300)
        [*_, before_text] = await client.until("cancelled")
        await client.start(timestamps="word")
        await client.send("text", "c", text=TEXT)
        await client.send("flush", "c")
        await client.send("cancel", "c", played_ms=300)
        [*_, before_sound] = await client.until("cancelled")
    nothing = {"text": "", "last_word": None, "char_end": 0, "audio_ms": 0.0, "is_estimate": False}
    assert before_text["heard"] == before_sound["heard"] == nothing


@pytest.mark.parametrize("played_ms", [-1, "200", 1e300, float("nan"), True, [], 10**400])
async def test_a_wrong_playout_clock_stops_no_context(played_ms):
    async with connected(synthesizer()) as client:
        await client.start(timestamps="word")
        await client.send("cancel", "c", played_ms=played_ms)
        [*_, refused] = await client.until("error")
        await client.send("text", "c", text=TEXT)
        await client.send("close", "c")
        [*_, done] = await client.until("done")
    assert refused["error"]["param"] == "played_ms"
    assert done["finish_reason"] == "stop"


async def test_a_context_that_was_sent_to_its_end_is_cut_where_its_client_stopped_playing():
    async with connected(synthesizer()) as client:
        await say(client)
        await client.send("cancel", "c", played_ms=200)
        [*_, ack] = await client.until("cancelled")
    assert ack["state"] == "already_done"
    assert ack["heard"]["text"] == f"  {HEARD['text']}"


async def test_all_of_a_faster_context_was_sent():
    async with connected(synthesizer()) as client:
        await say(client, speed=2.0)
        await client.send("cancel", "c")
        [*_, ack] = await client.until("cancelled")
    assert ack["heard"]["text"] == SOCKET_TEXT
    assert ack["heard"]["audio_ms"] == 300


async def test_a_cancel_of_no_context_heard_nothing():
    async with connected(synthesizer()) as client:
        await client.send("cancel", "c", played_ms=200)
        [*_, ack] = await client.until("cancelled")
        await client.send("cancel", "c", played_ms=-1)
        [*_, refused] = await client.until("error")
    assert ack["heard"] is None
    assert refused["error"]["param"] == "played_ms"


async def test_a_socket_refuses_other_timestamps():
    async with connected(synthesizer()) as client:
        await client.start(timestamps="char")
        [*_, refused] = await client.until("error")
    assert json.dumps(refused["error"]["param"]) == '"timestamps"'


async def test_a_cancel_of_a_context_from_elsewhere_says_what_was_heard():
    async with AsyncExitStack() as stack:
        url = stack.enter_context(serving(synthesizer(num_chunks=200)))
        address = f"{url.replace('http', 'ws')}/v1/audio/speech/stream"
        connecting = websockets.connect(address, additional_headers={"X-Request-ID": "sock"})
        client = Client(await stack.enter_async_context(connecting))
        await client.start()
        await client.send("text", "c", text=TEXT)
        await client.send("flush", "c")
        for _ in range(4):
            await client.until("audio")
        async with httpx.AsyncClient(base_url=url) as other:
            ack = (await other.post("/cancel/sock-0", json={"played_ms": 300})).json()
            [*_, done] = await client.until("done")
            report = (await other.get("/v1/sessions/sock-0")).json()
            words = (await other.get("/v1/sessions/sock-0/words")).json()["words"]
    assert done["finish_reason"] == "cancelled"
    assert ack["heard"] == report["heard"] == {**HEARD, "audio_ms": 300.0}
    assert told(words) == TOLD
