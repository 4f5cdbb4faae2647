"""Requests that a server must refuse with an error code, and connections that it must survive.

A correct refusal is a 4xx with OpenAI's error object and a code. A 5xx, or a refusal without a
code, is a fault of the server. Knows nothing about Locust.
"""

import json
import socket
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import urlsplit

import httpx

from app.client.speech_client import key_headers
from loadtests.bench import Bench
from loadtests.records import Kind, Outcome, Record
from loadtests.session import REFUSALS, error_code

SPEECH = "/v1/audio/speech"
TOO_LONG = 200_000  # characters, more than the limit of any server
SLOW_READS, SLOW_PAUSE_S = 8, 0.25
SLOW_BYTES = 1024
Ending = tuple[Outcome, int | None, str]  # outcome, status, detail


@dataclass(frozen=True, slots=True)
class Attack:
    name: str
    send: Callable[[Bench], Ending]

    def launch(self, bench: Bench, user: str, intended_s: float) -> Record:
        sent_s = time.monotonic()
        try:
            outcome, status, detail = self.send(bench)
        except httpx.TransportError as error:
            outcome, status, detail = Outcome.UNANSWERED, None, type(error).__name__
        return bench.note_silent(
            kind=Kind.HOSTILE,
            user=user,
            intended_s=intended_s,
            sent_s=sent_s,
            status=status,
            outcome=outcome,
            detail=f"{self.name}: {detail}",
        )


def _with_content(content: bytes) -> Callable[[Bench], Ending]:
    def send(bench: Bench) -> Ending:
        headers = {"Content-Type": "application/json"}
        return _must_refuse(bench.http.post(SPEECH, content=content, headers=headers))

    return send


def _with_fields(**fields: object) -> Callable[[Bench], Ending]:
    def send(bench: Bench) -> Ending:
        return _must_refuse(bench.http.post(SPEECH, json=bench.body("Hello.") | fields))

    return send


def _must_refuse(answer: httpx.Response) -> Ending:
    code = error_code(answer)
    is_refused = answer.is_client_error and code != ""
    outcome = Outcome.REFUSED if is_refused else Outcome.FAILED
    return outcome, answer.status_code, code or answer.text[:200]


def _unknown_session(bench: Bench) -> Ending:
    return _must_refuse(bench.http.get(f"/v1/sessions/{uuid.uuid4().hex}"))


def _bad_id(bench: Bench) -> Ending:
    headers = {"X-Request-ID": "not a valid id: spaces; and colons"}
    return _must_refuse(bench.http.post(SPEECH, json=bench.body("Hello."), headers=headers))


def _slow_reader(bench: Bench) -> Ending:
    """Reads a kilobyte at a time, then closes the connection."""
    with bench.http.stream("POST", SPEECH, json=bench.body("You read slowly. " * 6)) as response:
        if response.status_code != httpx.codes.OK:
            response.read()
            code = error_code(response)
            is_refusal = (response.status_code, code) in REFUSALS
            outcome = Outcome.REFUSED if is_refusal else Outcome.FAILED
            return outcome, response.status_code, code
        for number, _ in enumerate(response.iter_raw(SLOW_BYTES)):
            if number == SLOW_READS:
                break
            time.sleep(SLOW_PAUSE_S)
        return Outcome.LEFT, response.status_code, "read slowly"


def _half_closed(bench: Bench) -> Ending:
    """Sends a whole request, closes the sending side, and reads the answer."""
    with _connection(bench) as connection:
        connection.sendall(_request(bench, missing=0))
        connection.shutdown(socket.SHUT_WR)
        return _no_server_error(connection)


def _body_that_stops(bench: Bench) -> Ending:
    """Sends less than its Content-Length, then closes the sending side."""
    with _connection(bench) as connection:
        connection.sendall(_request(bench, missing=100))
        connection.shutdown(socket.SHUT_WR)
        return _no_server_error(connection)


def _connection(bench: Bench) -> socket.socket:
    address = urlsplit(bench.url)
    timeout_s = bench.settings.timeout_s
    try:
        return socket.create_connection((address.hostname or "", address.port or 80), timeout_s)
    except OSError as error:
        raise httpx.ConnectError(str(error)) from error


def _request(bench: Bench, missing: int) -> bytes:
    body = json.dumps(bench.body("Hello.")).encode()
    headers = {
        "Host": urlsplit(bench.url).netloc,
        "Content-Type": "application/json",
        "Content-Length": str(len(body) + missing),
        **key_headers(),
    }
    head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return f"POST {SPEECH} HTTP/1.1\r\n{head}\r\n".encode() + body


def _no_server_error(connection: socket.socket) -> Ending:
    """The server may answer or close the connection. A 5xx or a hanging connection is a fault."""
    try:
        first = connection.recv(SLOW_BYTES)
    except TimeoutError:
        return Outcome.UNANSWERED, None, "the server neither answered nor closed the connection"
    except OSError as error:
        return Outcome.LEFT, None, type(error).__name__
    if not first:
        return Outcome.LEFT, None, "closed"
    status = int(first.split(b" ", 2)[1])
    return (Outcome.FAILED if status >= 500 else Outcome.LEFT), status, "answered"


ATTACKS = (
    Attack("no JSON", _with_content(b'{"model": ')),
    Attack("no object", _with_content(b"[1, 2]")),
    Attack("no text encoding", _with_content(b'{"input": "\xff\xfe"}')),
    Attack("deep nesting", _with_content(b"[" * 20_000)),
    Attack("field twice", _with_content(b'{"input": "a", "input": "b"}')),
    Attack("unknown field", _with_fields(loudness=11)),
    Attack("wrong type", _with_fields(input=["Hello."])),
    Attack("no text", _with_fields(input="")),
    Attack("too much text", _with_fields(input="a" * TOO_LONG)),
    Attack("wrong speed", _with_fields(speed=1000)),
    Attack("unknown voice", _with_fields(voice="../no/such/voice")),
    Attack("unknown model", _with_fields(model="no-such-model")),
    Attack("unknown session", _unknown_session),
    Attack("bad id", _bad_id),
    Attack("slow reader", _slow_reader),
    Attack("half closed", _half_closed),
    Attack("body that stops", _body_that_stops),
)
