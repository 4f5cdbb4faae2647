"""Pages of other origins: what the browser asks first, and what the page may read."""

import pytest

from app.api.cross_origin import EXPOSED
from app.key_settings import AdmissionSettings
from tests.support.api_clients import in_process, speech
from tests.support.api_keys import bearer_of, key
from tests.support.fakes import FakeSynthesizer

KEYS = (key("red-key", "red", "red", ("speak",)),)
ORIGIN, OTHER = "https://app.example", "https://evil.example"
SAFELISTED = {"cache-control", "content-language", "content-length", "content-type"}
SAFELISTED |= {"expires", "last-modified", "pragma"}  # a page reads these of any answer
NOT_OURS = {"vary", "connection", "x-accel-buffering", "upgrade"}  # for the way, not for the page
OPENAI_SDK = (
    "authorization,content-type,openai-organization,openai-project,x-stainless-arch,"
    "x-stainless-lang,x-stainless-os,x-stainless-package-version,x-stainless-retry-count,"
    "x-stainless-runtime,x-stainless-runtime-version,x-stainless-timeout"
)


def preflight(origin, headers, method="POST"):
    asked = {"Access-Control-Request-Headers": headers, "Access-Control-Request-Method": method}
    return {"Origin": origin, **asked}


async def answers(*requests, **options):
    options = {"keys": KEYS, "origins": (ORIGIN,), **options}
    async with in_process(FakeSynthesizer(), **options) as client:
        return [await client.request(method, path, **more) for method, path, more in requests]


@pytest.mark.parametrize("headers", [OPENAI_SDK, "x-api-key,range", "x-any-header-of-an-sdk"])
@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"])
async def test_a_listed_origin_may_send_whatever_headers_it_asks_for(headers, method):
    asked = {"headers": preflight(ORIGIN, headers, method)}
    (granted,) = await answers(("OPTIONS", "/v1/audio/speech", asked))
    assert granted.status_code == 200
    assert granted.headers["access-control-allow-origin"] == ORIGIN
    assert set(headers.split(",")) <= set(
        granted.headers["access-control-allow-headers"].split(",")
    )
    assert method in granted.headers["access-control-allow-methods"]


async def test_every_header_of_ours_is_exposed():
    own = {"Origin": ORIGIN, **bearer_of("red-key")}
    told = await answers(
        ("POST", "/v1/audio/speech", {"json": speech(), "headers": own}),
        ("POST", "/v1/audio/speech", {"json": speech(voice="nobody"), "headers": own}),
        ("POST", "/v1/audio/speech", {"json": speech(), "headers": {"Origin": ORIGIN}}),
        ("GET", "/v1/audio/voices/anna/preview", {"headers": own}),
        ("GET", "/v1/audio/voices/anna/preview", {"headers": {**own, "Range": "bytes=0-1"}}),
        ("PUT", "/v1/audio/voices/anna", {"headers": own}),
        ("POST", "/v1/audio/speech/stream", {"headers": own}),
    )
    flooded = await answers(
        *[("GET", "/v1/models", {"headers": own})] * 2,
        admission=AdmissionSettings(requests_per_s=0.01),
    )
    for response in (*told, *flooded):
        exposed = {each.lower() for each in EXPOSED}
        sent = {name for name in response.headers if not name.startswith("access-control-")}
        assert sent <= exposed | SAFELISTED | NOT_OURS
        read = response.headers["access-control-expose-headers"].lower().split(", ")
        assert set(read) == exposed


@pytest.mark.parametrize("origins", [(), (ORIGIN,)])
@pytest.mark.parametrize("headers", [preflight(OTHER, "content-type"), {"Origin": OTHER}])
@pytest.mark.parametrize("keys", [(), KEYS])
async def test_an_origin_that_is_not_listed_is_told_what_lists_it(origins, headers, keys):
    method = "OPTIONS" if len(headers) > 1 else "POST"
    codes = []
    asked = (method, "/v1/audio/speech", {"headers": {**headers, **bearer_of("red-key")}})
    (refused,) = await answers(asked, origins=origins, keys=keys, refused=codes.append)
    assert (refused.status_code, refused.json()["error"]["code"]) == (403, "origin_not_allowed")
    assert refused.json()["error"]["message"] == (
        f"pages of the origin '{OTHER}' may not call this server; access.origins can list it"
    )
    assert "access-control-allow-origin" not in refused.headers
    assert codes == ["origin_not_allowed"]


async def test_a_preflight_is_no_key():
    (refused,) = await answers(("POST", "/v1/audio/speech", {"headers": {"Origin": ORIGIN}}))
    assert refused.status_code == 401


async def test_an_options_that_is_no_preflight_asks_for_a_key_as_ever():
    without, with_key = await answers(
        ("OPTIONS", "/v1/audio/speech", {}),
        ("OPTIONS", "/v1/audio/speech", {"headers": bearer_of("red-key")}),
    )
    assert (without.status_code, with_key.status_code) == (401, 405)
