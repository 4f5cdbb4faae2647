"""What the model would get of a text, told without sound; and what was left out of a speech."""

from dataclasses import replace

import pytest

from tests.support.api_clients import in_process
from tests.support.fakes import BREAKING, ENGLISH, TURBO, FakeSynthesizer

ASCII = "".join(map(chr, range(32, 127)))
PLAN, SPEECH = "/v1/audio/speech/plan", "/v1/audio/speech"
READS_ASCII = replace(ENGLISH, characters=ASCII)


async def test_a_plan_has_the_segments_their_words_and_what_was_left_out():
    synthesizer = FakeSynthesizer(READS_ASCII)
    async with in_process(synthesizer) as client:
        body = {"input": "# Hi **you** 🙂\n\n[pause:1s]Now.", "strip_markdown": True}
        plan = (await client.post(PLAN, json=body)).json()
    assert [segment["text"] for segment in plan["segments"]] == ["Hi you.", "Now."]
    assert [segment["pause_before_s"] for segment in plan["segments"]] == [0, 1]
    assert plan["segments"][0]["words"][1] == {"text": "you.", "start": 7, "end": 10}
    assert plan["dropped"] == [{"text": "🙂", "start": 13, "end": 14, "reason": "emoji"}]
    assert (plan["dropped_characters"], plan["pause_after_s"]) == (1, 0)
    assert synthesizer.requests == []


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"input": "Привет"}, "unsupported_characters"),
        ({"input": "…"}, "empty_input"),
        ({"input": "<speak><audio/>x</speak>"}, "unsupported_ssml"),
        ({"input": "Hi", "voice": "nobody"}, "voice_not_found"),
        ({"input": "Hi", "model": "other"}, "model_not_found"),
        ({"input": "Hi", "stream": True}, "unknown_field"),
        ({"input": "Hi", "normalise": "maybe"}, "invalid_value"),
    ],
)
async def test_a_plan_refuses_what_a_speech_would(fields, code):
    async with in_process(FakeSynthesizer(READS_ASCII)) as client:
        answer = await client.post(PLAN, json=fields)
    assert answer.json()["error"]["code"] == code


async def test_a_speech_gets_what_its_plan_says_and_tells_what_was_left_out():
    synthesizer = FakeSynthesizer(READS_ASCII)
    text = "Great 🙂! [laugh] I paid $5 to Łukasz."
    async with in_process(synthesizer) as client:
        plan = (await client.post(PLAN, json={"input": text})).json()
        body = {"model": "english", "voice": "anna", "input": text}
        answer = await client.post(SPEECH, json=body)
        events = await client.post(SPEECH, json={**body, "stream_format": "sse"})
    first, _ = synthesizer.requests
    assert [segment["text"] for segment in plan["segments"]] == list(first.segments)
    assert answer.headers["X-Dropped-Characters"] == "8"
    assert '"dropped_characters": 8' in events.text


@pytest.mark.parametrize(("card", "longest"), [(TURBO, 280), (BREAKING, 200)])
async def test_a_model_that_breaks_in_long_segments_gets_shorter_ones(card, longest):
    words = "it goes on and on without an end or a comma that one could take a breath at " * 20
    async with in_process(FakeSynthesizer(card)) as client:
        plan = (await client.post(PLAN, json={"input": words})).json()
    lengths = [len(segment["text"]) for segment in plan["segments"]]
    assert longest - 20 < max(lengths) <= longest


async def test_the_list_of_models_has_the_tags():
    async with in_process(FakeSynthesizer(replace(TURBO, tags=("laugh", "sigh")))) as client:
        models = (await client.get("/v1/models")).json()["data"]
    assert models[0]["tags"] == ["laugh", "sigh"]
