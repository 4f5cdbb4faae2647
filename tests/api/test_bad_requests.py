"""A wrong request is refused before any work, with the name of the wrong field."""

import json

import pytest

from app.api.speech_job import OTHER_FIELDS_BYTES
from app.config import Limits
from tests.support.api_clients import in_process, speech
from tests.support.fakes import ENGLISH, MULTILINGUAL, TURBO, FakeSynthesizer

NAN, INF = float("nan"), float("inf")

# what is wrong, field named, code
WRONG = [
    ({"model": ...}, "model", "invalid_value"),
    ({"model": None}, "model", "invalid_value"),
    ({"model": 3}, "model", "invalid_value"),
    ({"input": ...}, "input", "invalid_value"),
    ({"input": None}, "input", "invalid_value"),
    ({"input": ["a"]}, "input", "invalid_value"),
    ({"input": ""}, "input", "empty_input"),
    ({"input": " \n\t"}, "input", "empty_input"),
    ({"input": "a" * 4097}, "input", "string_above_max_length"),
    ({"voice": ...}, "voice", "invalid_value"),
    ({"voice": None}, "voice", "invalid_value"),
    ({"voice": 1}, "voice", "invalid_value"),
    ({"voice": {}}, "voice", "invalid_value"),
    ({"voice": {"id": 1}}, "voice", "invalid_value"),
    ({"voice": {"id": "default", "x": 1}}, "voice", "invalid_value"),
    ({"response_format": "ogg"}, "response_format", "invalid_value"),
    ({"response_format": 3}, "response_format", "invalid_value"),
    ({"sample_rate": 7999}, "sample_rate", "invalid_value"),
    ({"sample_rate": 96_000}, "sample_rate", "invalid_value"),
    ({"sample_rate": 24_000.0}, "sample_rate", "invalid_value"),
    ({"sample_rate": 9000}, "sample_rate", "invalid_value"),
    ({"sample_rate": 44_100, "response_format": "opus"}, "sample_rate", "invalid_value"),
    ({"strip_markdown": 1}, "strip_markdown", "invalid_value"),
    ({"strip_emoji": "yes"}, "strip_emoji", "invalid_value"),
    ({"input": "🙂 1", "strip_emoji": True, "voice": ...}, "voice", "invalid_value"),
    ({"input": "Hello [pause:soon]."}, "input", "invalid_value"),
    ({"input": "Hello [pause:60s]."}, "input", "invalid_value"),
    ({"stream_format": "ws"}, "stream_format", "invalid_value"),
    ({"stream_format": "sse", "stream": False}, "stream", "invalid_value"),
    ({"stream": 1}, "stream", "invalid_value"),
    ({"speed": 0.2}, "speed", "invalid_value"),
    ({"speed": 4.1}, "speed", "invalid_value"),
    ({"speed": NAN}, "speed", "invalid_value"),
    ({"instructions": "whisper"}, "instructions", "unsupported_field"),
    ({"instructions": 1}, "instructions", "invalid_value"),
    ({"exaggeration": -0.1}, "exaggeration", "invalid_value"),
    ({"exaggeration": 2.1}, "exaggeration", "invalid_value"),
    ({"exaggeration": INF}, "exaggeration", "invalid_value"),
    ({"exaggeration": "0.5"}, "exaggeration", "invalid_value"),
    ({"exaggeration": True}, "exaggeration", "invalid_value"),
    ({"cfg_weight": -1}, "cfg_weight", "invalid_value"),
    ({"cfg_weight": NAN}, "cfg_weight", "invalid_value"),
    ({"temperature": -0.1}, "temperature", "invalid_value"),
    ({"temperature": -INF}, "temperature", "invalid_value"),
    ({"temperature": 10**400}, "temperature", "invalid_value"),
    ({"top_p": 0}, "top_p", "invalid_value"),
    ({"top_p": 1.1}, "top_p", "invalid_value"),
    ({"min_p": 2}, "min_p", "invalid_value"),
    ({"repetition_penalty": 0.5}, "repetition_penalty", "invalid_value"),
    ({"seed": -1}, "seed", "invalid_value"),
    ({"seed": 1.5}, "seed", "invalid_value"),
    ({"seed": 2**63}, "seed", "invalid_value"),
    ({"max_tokens": 0}, "max_tokens", "invalid_value"),
    ({"max_tokens": 1001}, "max_tokens", "invalid_value"),
    ({"max_tokens": 5.0}, "max_tokens", "invalid_value"),
    ({"top_k": 5}, "top_k", "unsupported_field"),
    ({"top_k": -1}, "top_k", "invalid_value"),
    ({"language": "en"}, "language", "unsupported_field"),
    ({"language": 1}, "language", "invalid_value"),
    ({"tenant": "root"}, "tenant", "unknown_field"),
    ({"ignore_eos": True}, "ignore_eos", "unknown_field"),
    ({"": 1}, "", "unknown_field"),
    ({"\ud800": 1}, "\ud800", "unknown_field"),
]


async def refusal(synthesizer, limits=None, **request):
    """The refused request's status and error, having checked that no work was done."""
    async with in_process(synthesizer, limits) as client:
        response = await client.post("/v1/audio/speech", **request)
    assert synthesizer.requests == []
    error = response.json()["error"]
    assert set(error) == {"message", "type", "param", "code"}
    assert error["type"] == "invalid_request_error"
    assert error["message"]
    assert response.headers["x-request-id"]
    return response.status_code, error["param"], error["code"]


def as_json(body):
    headers = {"content-type": "application/json"}
    return {"content": json.dumps(body).encode(), "headers": headers}


@pytest.mark.parametrize(("changes", "param", "code"), WRONG)
async def test_a_wrong_field_is_named(changes, param, code):
    request = as_json(speech(**changes))
    assert await refusal(FakeSynthesizer(ENGLISH), **request) == (400, param, code)


@pytest.mark.parametrize(
    ("card", "changes", "param"),
    [
        (TURBO, {"exaggeration": 0.5}, "exaggeration"),
        (TURBO, {"cfg_weight": 0.5}, "cfg_weight"),
        (TURBO, {"min_p": 0.1}, "min_p"),
        (TURBO, {"language": "en"}, "language"),
        (MULTILINGUAL, {"top_k": 1}, "top_k"),
    ],
)
async def test_a_field_without_effect_on_the_model_is_refused(card, changes, param):
    request = as_json(speech(model=card.name, **changes))
    assert await refusal(FakeSynthesizer(card), **request) == (400, param, "unsupported_field")


async def test_a_language_the_model_does_not_speak_is_refused():
    request = as_json(speech(model="multilingual", language="tlh"))
    refused = await refusal(FakeSynthesizer(MULTILINGUAL), **request)
    assert refused == (400, "language", "invalid_value")


@pytest.mark.parametrize(
    ("changes", "param", "code"),
    [
        ({"model": "tts-9"}, "model", "model_not_found"),
        ({"model": ""}, "model", "model_not_found"),
        ({"voice": "nobody"}, "voice", "voice_not_found"),
        ({"voice": "../default"}, "voice", "voice_not_found"),
        ({"voice": "\ud800"}, "voice", "voice_not_found"),
        ({"voice": {"id": "nobody"}}, "voice", "voice_not_found"),
    ],
)
async def test_an_unknown_model_or_voice_is_a_404(changes, param, code):
    assert await refusal(FakeSynthesizer(), **as_json(speech(**changes))) == (404, param, code)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b'"text"',
        b"{'input': 1}",
        b"\xff\xfe{}",
        b"[" * 30_000,
        b'{"seed": ' + b"9" * 5000 + b"}",
    ],
)
async def test_a_body_that_is_not_a_json_object_is_refused(content):
    headers = {"content-type": "application/json"}
    refused = await refusal(FakeSynthesizer(), content=content, headers=headers)
    assert refused == (400, None, "invalid_json")


async def test_a_field_given_twice_is_refused():
    content = json.dumps(speech()).encode()[:-1] + b', "voice": "anna"}'
    headers = {"content-type": "application/json"}
    refused = await refusal(FakeSynthesizer(), content=content, headers=headers)
    assert refused == (400, "voice", "invalid_value")


@pytest.mark.parametrize("kind", [None, "text/plain", "multipart/mixed", "application/jsonx"])
async def test_another_content_type_is_refused(kind):
    headers = {"content-type": kind} if kind else {}
    refused = await refusal(FakeSynthesizer(), content=b"{}", headers=headers)
    assert refused == (415, None, "unsupported_media_type")


async def test_a_body_over_the_limit_is_not_read_to_its_end():
    num_sent = 0

    async def endless():
        nonlocal num_sent
        while num_sent < 1000:
            num_sent += 1
            yield b" " * 1024

    refused = await refusal(
        FakeSynthesizer(),
        Limits(max_text_chars=10),
        content=endless(),
        headers={"content-type": "application/json"},
    )
    assert refused == (413, None, "request_too_large")
    assert num_sent < OTHER_FIELDS_BYTES / 1024 + 5


@pytest.mark.parametrize(
    ("headers", "param"),
    [
        ([("x-request-disconnect-disabled", "1")], "x-request-disconnect-disabled"),
        ([("X-Request-Timeout-Seconds", "9999")], "x-request-timeout-seconds"),
        ([("x-request-id", "")], "X-Request-ID"),
        ([("x-request-id", "a b")], "X-Request-ID"),
        ([("x-request-id", "a\u00e9".encode("latin-1"))], "X-Request-ID"),
        ([("x-request-id", "../../x")], "X-Request-ID"),
        ([("x-request-id", "a" * 65)], "X-Request-ID"),
        ([("x-request-id", "a"), ("x-request-id", "b")], "X-Request-ID"),
    ],
)
async def test_a_forbidden_or_invalid_header_is_refused(headers, param):
    status, named, _ = await refusal(FakeSynthesizer(), json=speech(), headers=headers)
    assert (status, named) == (400, param)
