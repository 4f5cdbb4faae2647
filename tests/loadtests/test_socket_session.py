"""Every end of a session over a WebSocket has an outcome, seen by a fake server."""

import json
import threading
import time
from contextlib import contextmanager
from dataclasses import replace
from http import HTTPStatus

import pytest
from websockets.sync.server import serve

from loadtests.bench import Bench
from loadtests.records import Kind, Outcome
from loadtests.run_log import RunLog
from loadtests.session import PlannedRequest
from loadtests.socket_session import speak_on_socket
from tests.support.loadtests.benches import IMPATIENT, QUICK
from tests.support.loadtests.fake_server import fake_server

PART = b"\0\0\0\0" + bytes(4800)


@contextmanager
def socket_server(answer, refuses=None):
    """`answer` speaks with one client."""

    def process_request(connection, request):
        return connection.respond(refuses, "no") if refuses is not None else None

    with serve(answer, "127.0.0.1", 0, process_request=process_request) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.socket.getsockname()[1]}"
        server.shutdown()
        thread.join()


def spoken(answer, settings=QUICK, refuses=None, keep=None):
    with fake_server() as (url, _), socket_server(answer, refuses) as address:
        bench = Bench(url, settings, RunLog())
        bench.url = address
        request = PlannedRequest(
            Kind.SOCKET, "somebody", "Hello.", time.monotonic(), fields={"seed": 3}, keep=keep
        )
        record, _ = speak_on_socket(bench, request)
        bench.http.close()
    assert bench.run_log.records == [record]
    assert bench.run_log.faults == []
    return record


def says(*messages, start=None):
    def answer(connection):
        read = [json.loads(connection.recv()) for _ in range(3)]
        assert [message["type"] for message in read] == ["start", "text", "close"]
        assert (read[0]["voice"], read[0]["seed"], read[1]["text"]) == ("ada", 3, "Hello.")
        assert read[0].get("start") == start
        for message in messages:
            connection.send(message if isinstance(message, bytes) else json.dumps(message))

    return answer


def test_a_context_is_heard_to_its_end():
    kept = bytearray()
    started, done = {"type": "started"}, {"type": "done", "finish_reason": "stop"}
    record = spoken(says(started, PART, PART, done), keep=kept.extend)
    assert (record.outcome, record.num_bytes, record.audio_s) == (Outcome.HEARD, 9600, 0.2)
    assert bytes(kept) == bytes(9600)


def test_a_player_waits_for_what_is_told_beside_its_first_audio():
    """`started` knows no more than what an earlier stream needed."""
    messages = [{"type": "started", "prebuffer_ms": 300}, {"type": "audio", "prebuffer_ms": 100}]
    record = spoken(says(*messages, PART, {"type": "done", "finish_reason": "stop"}))
    assert (record.outcome, record.told_prebuffer_ms) == (Outcome.HEARD, 100)


def test_a_context_chooses_its_start():
    answer = says(PART, {"type": "done", "finish_reason": "stop"}, start="smooth")
    assert spoken(answer, replace(QUICK, start="smooth")).outcome is Outcome.HEARD


@pytest.mark.parametrize(
    ("messages", "outcome", "detail"),
    [
        ([{"type": "error", "error": {"code": "replica_lost"}}], Outcome.BROKEN, "replica_lost"),
        ([{"type": "error", "error": {"code": "overloaded"}}], Outcome.REFUSED, "overloaded"),
        ([{"type": "done", "finish_reason": "error"}], Outcome.BROKEN, "the finish error"),
        ([PART], Outcome.BROKEN, "1000"),  # closed without an end of the context
    ],
)
def test_an_error_and_an_early_close_are_seen(messages, outcome, detail):
    record = spoken(says(*messages))
    assert record.outcome is outcome
    assert detail in record.detail


def test_a_refused_handshake_and_a_silent_server_are_seen():
    record = spoken(says(), refuses=HTTPStatus.TOO_MANY_REQUESTS)
    assert (record.outcome, record.status) == (Outcome.REFUSED, 429)
    over = threading.Event()
    record = spoken(lambda connection: over.wait(3), replace(IMPATIENT, timeout_s=0.3))
    over.set()
    assert (record.outcome, record.detail) == (Outcome.UNANSWERED, "ReadTimeout")


def test_no_connection_is_no_silent_end():
    with fake_server() as (url, _):
        bench = Bench(url, QUICK, RunLog())
    request = PlannedRequest(Kind.SOCKET, "somebody", "Hello.", time.monotonic())
    record, _ = speak_on_socket(bench, request)
    bench.http.close()
    assert record.outcome is Outcome.UNANSWERED
    assert record.detail.startswith("ConnectError")
