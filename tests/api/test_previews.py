"""Previews of voices: one file for every request, in parts where a player asks for parts."""

import asyncio

import pytest

from app.api import previews
from app.core import FinishReason
from app.errors import Overloaded
from tests.support.api_clients import in_process
from tests.support.api_keys import bearer_of, key

ANNA = "/v1/audio/voices/anna/preview"


@pytest.fixture
async def client(synthesizer):
    async with in_process(synthesizer) as client:
        yield client


async def test_a_preview_is_spoken_once_with_a_fixed_seed(client, synthesizer):
    first = await client.get(ANNA)
    again = await client.get(ANNA)
    assert (first.status_code, first.content) == (200, again.content)
    assert len(synthesizer.requests) == 1
    assert synthesizer.requests[0].sampling.seed == 0
    for response in (first, again):
        assert response.headers["x-seed"] == "0"
        assert response.headers["x-voice"] == "anna"
        assert response.headers["content-type"] == "audio/wav"


async def test_safari_reads_a_preview_in_parts_of_one_file(client, synthesizer):
    probe = await client.get(ANNA, headers={"Range": "bytes=0-1"})
    assert (probe.status_code, len(probe.content)) == (206, 2)
    size = int(probe.headers["content-range"].rpartition("/")[2])
    middle = size // 2
    parts = [
        await client.get(ANNA, headers={"Range": f"bytes={first}-{last}"})
        for first, last in ((0, middle), (middle + 1, size - 1))
    ]
    whole = await client.get(ANNA)
    assert b"".join(part.content for part in parts) == whole.content
    assert whole.content.startswith(probe.content)
    assert len({each.headers["etag"] for each in (probe, *parts, whole)}) == 1
    assert len(synthesizer.requests) == 1


async def test_a_range_behind_the_end_is_refused(client):
    response = await client.get(ANNA, headers={"Range": "bytes=99999999-"})
    assert (response.status_code, response.json()["error"]["code"]) == (
        416,
        "range_not_satisfiable",
    )
    assert response.headers["content-range"].startswith("bytes */")


async def test_a_browser_that_has_the_preview_gets_no_body(client):
    tag = (await client.get(ANNA)).headers["etag"]
    again = await client.get(ANNA, headers={"If-None-Match": tag})
    assert (again.status_code, again.content) == (304, b"")


async def test_each_voice_has_its_own_preview(client, synthesizer):
    await client.get(ANNA)
    await client.get("/v1/audio/voices/default/preview")
    assert [each.voice.name for each in synthesizer.requests] == ["anna", "default"]


async def test_callers_at_once_hear_one_session(client, synthesizer):
    answers = await asyncio.gather(*(client.get(ANNA) for _ in range(4)))
    assert len({answer.content for answer in answers}) == 1
    assert len(synthesizer.requests) == 1


async def test_a_preview_that_failed_is_spoken_anew(client, synthesizer):
    synthesizer.fail_at, synthesizer.error = 0, Overloaded("full", retry_after_s=1)
    refused = await client.get(ANNA)
    assert (refused.status_code, refused.json()["error"]["code"]) == (503, "overloaded")
    synthesizer.fail_at = None
    assert (await client.get(ANNA)).status_code == 200


async def test_a_cancelled_preview_is_not_kept(client, synthesizer):
    synthesizer.finish = FinishReason.CANCELLED
    assert (await client.get(ANNA)).status_code == 204
    synthesizer.finish = FinishReason.STOP
    assert (await client.get(ANNA)).status_code == 200


async def test_a_key_with_short_speech_gets_no_file_of_another_key_and_gives_none(synthesizer):
    keys = (
        key("long-key", "long", "red", ("speak",)),
        key("short-key", "short", "red", ("speak",), max_tokens=5),
    )
    async with in_process(synthesizer, keys=keys) as client:
        for name in ("short-key", "long-key", "short-key"):
            assert (await client.get(ANNA, headers=bearer_of(name))).status_code == 200
    limits = [request.sampling.max_tokens for request in synthesizer.requests]
    assert limits[0] == 5
    assert limits[1] > 5
    assert len(limits) == 2


async def test_a_caller_without_the_role_hears_no_kept_preview(synthesizer):
    keys = (key("red-key", "red", "red", ("speak",)), key("mute-key", "mute", "red", ("voices",)))
    async with in_process(synthesizer, keys=keys) as client:
        assert (await client.get(ANNA, headers=bearer_of("red-key"))).status_code == 200
        assert (await client.get(ANNA, headers=bearer_of("mute-key"))).status_code == 403
        assert (await client.get(ANNA)).status_code == 401


async def test_the_file_that_nobody_asked_for_longest_goes_first(monkeypatch, client, synthesizer):
    monkeypatch.setattr(previews, "MAX_KEPT", 2)
    for voice in ("anna", "default", "anna", "s\u00f8ren", "anna", "default"):
        await client.get(f"/v1/audio/voices/{voice}/preview")
    spoken = [request.voice.name for request in synthesizer.requests]
    assert spoken == ["anna", "default", "s\u00f8ren", "default"]
