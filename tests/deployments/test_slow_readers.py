"""Clients that read nothing, over the whole server: their sessions end, and nothing is held."""

import uuid

import pytest

from tests.support.deployments.served_app import (
    LONG_TEXT,
    ServedApp,
    client_of,
    speech_body,
    until_idle,
)
from tests.support.eventually import eventually
from tests.support.stalled_clients import connected, post, speak_on_a_socket

TEXT = f"{LONG_TEXT} " * 4
WITHIN_S = 40.0  # of the first sound, the buffers and limits.stalled_reader_s, on a busy machine


def over_http(client, session_id):
    post(client, "/v1/audio/speech", speech_body(TEXT), session_id)
    return session_id


def over_events(client, session_id):
    body = speech_body(TEXT, stream_format="sse")
    post(client, "/v1/audio/speech", body, session_id)
    return session_id


def over_a_socket(client, session_id):
    voice = speech_body(TEXT)["voice"]
    speak_on_a_socket(client, text=TEXT, request_id=session_id, voice=voice)
    return f"{session_id}-0"  # the context: its first take fits into the buffers


@pytest.mark.parametrize(
    "speak", [over_http, over_a_socket, pytest.param(over_events, marks=pytest.mark.long)]
)
async def test_the_session_of_a_client_that_reads_nothing_ends(served: ServedApp, speak):
    async with client_of(served.url) as http:
        with connected(served.url) as client:
            session_id = speak(client, f"stalled-{uuid.uuid4().hex}")

            async def report():
                answer = await http.get(f"/v1/sessions/{session_id}")
                return answer.json() if answer.status_code == 200 else {}

            async def has_ended():
                return (await report()).get("finish")

            await eventually(has_ended, WITHIN_S, "the session ends", every_s=0.3)
            told = await report()
            assert (told["finish"], told["cause"]) == ("cancelled", "reader_stalled")
            assert told["audio_sent_ms"] < 10_000
        await until_idle(http)
