"""Clients that read nothing, over the whole server: their sessions end, and nothing is held."""

import uuid
from contextlib import ExitStack
from functools import partial

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
    "speakers",
    [(over_http, over_a_socket), pytest.param((over_events,), marks=pytest.mark.long)],
)
async def test_the_sessions_of_clients_that_read_nothing_end(served: ServedApp, speakers):
    """All at once: each is cut off after the same silence."""
    async with client_of(served.url) as http:
        with ExitStack() as connections:
            session_ids = []
            for speak in speakers:
                client = connections.enter_context(connected(served.url))
                session_ids.append(speak(client, f"stalled-{uuid.uuid4().hex}"))

            async def report(session_id):
                answer = await http.get(f"/v1/sessions/{session_id}")
                return answer.json() if answer.status_code == 200 else {}

            async def has_ended(session_id):
                return (await report(session_id)).get("finish")

            for session_id in session_ids:
                what = f"the session {session_id} ends"
                await eventually(partial(has_ended, session_id), WITHIN_S, what, every_s=0.3)
                told = await report(session_id)
                assert (told["finish"], told["cause"]) == ("cancelled", "reader_stalled"), told
                assert told["audio_sent_ms"] < 10_000, told
        await until_idle(http)
