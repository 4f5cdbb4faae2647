"""The API key of a request: in which ways it may come, and several at once."""

import pytest
from starlette.datastructures import Headers

from app.api.credentials import secret_of
from app.errors import BadRequest
from tests.support.api_clients import in_process, serving
from tests.support.api_keys import key
from tests.support.fakes import FakeSynthesizer
from tests.support.raw_http import answer_to

KEYS = (key("red-key", "red", "red"), key("blue-key", "blue", "blue"))
BEARER = ("Authorization", "Bearer red-key")
OTHER = ("Authorization", "Bearer blue-key")
PROTOCOL = ("Sec-WebSocket-Protocol", "chatterbox, chatterbox.key.red-key")
OPENAI = ("Sec-WebSocket-Protocol", "realtime, openai-insecure-api-key.red-key")


def headers(*pairs):
    return Headers(raw=[(name.lower().encode(), value.encode()) for name, value in pairs])


@pytest.mark.parametrize(
    ("pairs", "secret"),
    [
        ([], None),
        ([BEARER], "red-key"),
        ([("Authorization", "bearer  red-key ")], "red-key"),
        ([("Authorization", " Bearer red-key")], "red-key"),
        ([("Authorization", "Bearer")], None),
        ([("Authorization", "Basic red-key")], None),
        ([("X-API-Key", "red-key ")], "red-key"),
        ([("X-API-Key", "\tred-key")], "red-key"),
        ([("X-API-Key", " ")], None),
        ([BEARER, BEARER], "red-key"),
        ([BEARER, ("X-API-Key", " red-key")], "red-key"),
        ([("Authorization", "Basic abc"), ("X-API-Key", "red-key")], "red-key"),
        ([("xi-api-key", "red-key")], "red-key"),
        ([("Authorization", "Token red-key")], "red-key"),
        ([PROTOCOL], "red-key"),
        ([PROTOCOL, BEARER], "red-key"),
        ([OPENAI], "red-key"),
        ([OPENAI, PROTOCOL], "red-key"),
    ],
)
def test_one_key_counts_however_it_is_sent(pairs, secret):
    assert secret_of(headers(*pairs), is_socket=True) == secret


@pytest.mark.parametrize(
    "pairs",
    [
        [BEARER, OTHER],
        [("X-API-Key", "red-key"), ("X-API-Key", "blue-key")],
        [BEARER, ("X-API-Key", "blue-key")],
        [BEARER, ("X-API-Key", "red-key"), OTHER],
        [PROTOCOL, OTHER],
        [OPENAI, OTHER],
        [("Sec-WebSocket-Protocol", "chatterbox.key.red-key,chatterbox.key.blue-key")],
        [PROTOCOL, ("Sec-WebSocket-Protocol", "chatterbox.key.blue-key")],
        [BEARER, ("X-API-Key", "Red-Key")],
    ],
)
def test_keys_that_differ_are_refused(pairs):
    with pytest.raises(BadRequest) as refused:
        secret_of(headers(*pairs), is_socket=True)
    assert refused.value.code == "several_api_keys"
    assert "blue-key" not in str(refused.value)


def test_a_subprotocol_is_no_key_of_a_request_without_a_socket():
    assert secret_of(headers(PROTOCOL), is_socket=False) is None


@pytest.mark.parametrize("first", [BEARER, ("X-API-Key", "red-key")])
@pytest.mark.parametrize("second", [OTHER, ("X-API-Key", "blue-key")])
@pytest.mark.parametrize("keys", [KEYS, ()])
async def test_the_server_answers_two_keys_with_a_400(first, second, keys):
    async with in_process(FakeSynthesizer(), keys=keys) as client:
        response = await client.get("/v1/models", headers=[first, second])
    assert (response.status_code, response.json()["error"]["code"]) == (400, "several_api_keys")


def test_spaces_around_a_key_do_not_count_on_the_wire():
    with serving(FakeSynthesizer(), keys=KEYS) as url:
        for line in (
            "X-API-Key: red-key ",
            "X-API-Key:\tred-key",
            "Authorization: Bearer  red-key",
        ):
            request = f"GET /v1/models HTTP/1.1\r\nHost: a\r\n{line}\r\nConnection: close\r\n\r\n"
            assert answer_to(url, request.encode()).startswith(b"HTTP/1.1 200")
