"""A served stream begins as it is told, and its player hears how long to wait."""

import pytest

from tests.support.deployments.served_app import client_of, speech_body, until_idle

TEXT = "It was a bright cold day in April, and the clocks were striking thirteen."


@pytest.mark.parametrize("stream_format", ["audio", "sse"])
async def test_a_stream_is_held_or_its_player_is_told(served, stream_format):
    async with client_of(served.url) as client:
        legs, told_ms, sounds = {}, {}, {}
        for start in ("smooth", "soonest"):
            body = speech_body(TEXT, start=start, stream_format=stream_format)
            answer = await client.post("/v1/audio/speech", json=body)
            assert answer.status_code == 200
            told_ms[start] = int(answer.headers["X-Prebuffer-Ms"])
            report = await client.get(f"/v1/sessions/{answer.headers['x-request-id']}")
            legs[start] = report.json()["legs_ms"]
            sounds[start] = answer.content
        await until_idle(client)
    assert told_ms["smooth"] == 0  # the server has waited
    assert legs["soonest"]["hold"] < 20.0
    assert legs["smooth"]["hold"] >= 0.0
    if stream_format == "audio":
        assert sounds["smooth"] == sounds["soonest"]


async def test_the_server_tells_what_it_bears(served):
    async with client_of(served.url) as client:
        health = (await client.get("/health")).json()
        model = (await client.get("/v1/models/embedded-babble")).json()
    assert health["capacity"] >= 0
    assert health["realtime"] is (health["capacity"] > 0)
    assert model["realtime"] is health["realtime"]
    assert all(health["stages"][stage]["bears"] > 0 for stage in ("t3", "vocoder"))
