"""Bodies that come slowly or not at all, on every route that reads one."""

import json
from contextlib import closing

import httpx
import pytest

from app.config import Limits
from app.key_settings import AdmissionSettings
from tests.support.api_clients import serving, speech
from tests.support.api_keys import bearer_of, key
from tests.support.eventually import eventually_sync
from tests.support.fakes import FakeSynthesizer
from tests.support.raw_http import connected, until_closed

pytestmark = pytest.mark.full  # seconds in all

KEYS = (
    key("red-key", "red", "red", ("speak", "voices", "admin")),
    key("blue-key", "blue", "blue"),
)
WAIT_S = 30
JSON = "application/json"
FORM = "multipart/form-data; boundary=frame"
FIRST = {JSON: b'{"model": "english",', FORM: b"--frame\r\nContent-Dis"}  # 20 bytes each
READERS = [
    ("POST", "/v1/audio/speech", JSON),
    ("POST", "/v1/audio/speech", FORM),
    ("POST", "/v1/audio/voices", FORM),
    ("PATCH", "/v1/audio/voices/x", JSON),
    ("POST", "/api/vox_speak_wav", JSON),
    ("POST", "/api/vox_speak_wav_stream", JSON),
    ("POST", "/v1/admin/stop", JSON),
]
ONE = AdmissionSettings(max_bodies_per_key=1)
QUICK = Limits(body_s=0.3)


def head(method, path, kind, framing="Content-Length: 5000", secret="red-key"):
    return (
        f"{method} {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {secret}\r\n"
        f"Content-Type: {kind}\r\n{framing}\r\n\r\n"
    ).encode()


def begun(url, method="POST", path="/v1/audio/speech", kind=JSON, **options):
    """A connection that has sent the head and 20 bytes of a body, and now waits."""
    client = connected(url)
    client.sendall(head(method, path, kind, **options) + FIRST[kind])
    return client


def speak(url, secret, session_id="s"):
    headers = {**bearer_of(secret), "X-Request-ID": session_id}
    post = {"json": speech(), "headers": headers, "timeout": WAIT_S}
    return httpx.post(f"{url}/v1/audio/speech", **post)


@pytest.mark.parametrize(("method", "path", "kind"), READERS)
def test_a_body_that_stops_gets_a_408_and_its_connection_is_closed(method, path, kind):
    with serving(FakeSynthesizer(), QUICK, keys=KEYS, admission=ONE) as url:
        with closing(begun(url, method, path, kind)) as client:
            answer = until_closed(client)
        assert answer.startswith(b"HTTP/1.1 408 ")
        top, _, body = answer.partition(b"\r\n\r\n")
        assert b"connection: close" in top.lower()
        error = json.loads(body)["error"]
        assert error["code"] == "slow_body"
        assert "limits.body_s" in error["message"]
        assert speak(url, "red-key").status_code == httpx.codes.OK  # the only place is free


@pytest.mark.parametrize("parts", [[b"1\r\nx\r\n"], [b"5\r\nxx"], [b""]])
def test_a_chunked_body_that_stops_gets_a_408(parts):
    with serving(FakeSynthesizer(), QUICK, keys=KEYS) as url, closing(connected(url)) as client:
        client.sendall(
            head("POST", "/v1/audio/speech", JSON, "Transfer-Encoding: chunked") + b"".join(parts)
        )
        assert until_closed(client).startswith(b"HTTP/1.1 408 ")


def test_a_slow_body_is_counted_by_its_code():
    codes: list[str] = []
    options = {"refused": codes.append}
    with serving(FakeSynthesizer(), QUICK, **options) as url, closing(begun(url)) as client:
        until_closed(client)
    assert codes == ["slow_body"]


def test_a_body_that_comes_in_parts_is_served():
    content = json.dumps(speech()).encode()
    with serving(FakeSynthesizer()) as url, closing(connected(url)) as client:
        client.sendall(
            head("POST", "/v1/audio/speech", JSON, f"Content-Length: {len(content)}") + content[:20]
        )
        assert httpx.get(f"{url}/health").status_code == httpx.codes.OK  # the body waits meanwhile
        client.sendall(content[20:])
        assert client.recv(1024).startswith(b"HTTP/1.1 200 ")


def test_one_key_holds_its_number_of_bodies_and_the_others_are_not_touched():
    codes: list[str] = []
    synthesizer = FakeSynthesizer(hold_at=1)
    few = AdmissionSettings(max_bodies_per_key=3)
    with serving(synthesizer, keys=KEYS, admission=few, refused=codes.append) as url:
        held = [begun(url) for _ in range(3)]

        def refused():
            with closing(begun(url)) as client:
                client.settimeout(1)
                try:
                    return until_closed(client)
                except TimeoutError:  # this one was in before one of the three
                    return b""

        answer = eventually_sync(refused, 10, "the three bodies are held, and one more is refused")
        assert answer.startswith(b"HTTP/1.1 429 ")
        assert b"too_many_bodies" in answer
        assert b"admission.max_bodies_per_key" in answer
        assert b"retry-after: 1" in answer.lower()
        assert codes[-1] == "too_many_bodies"
        # The key's cancels and reports have places of their own, with a body too; so has health.
        for method, path, body in (
            ("POST", "/cancel/s", None),
            ("POST", "/cancel/s", {}),
            ("GET", "/v1/sessions/s", None),
        ):
            answered = httpx.request(method, url + path, headers=bearer_of("red-key"), json=body)
            assert answered.json()["error"]["code"] == "session_not_found"
        assert httpx.get(f"{url}/health").status_code == httpx.codes.OK
        synthesizer.hold_at = None
        assert speak(url, "blue-key").status_code == httpx.codes.OK
        for client in held:
            client.close()

        def served():
            return speak(url, "red-key", "t").status_code == httpx.codes.OK

        eventually_sync(served, 10, "clients that left have given their places back")


def test_the_bytes_of_a_keys_bodies_are_bounded_while_its_requests_are_in_flight():
    synthesizer = FakeSynthesizer(hold_at=1)
    few = AdmissionSettings(max_body_bytes_per_key=100)  # a body has 58 bytes or more
    with serving(synthesizer, keys=KEYS, admission=few) as url:
        headers = bearer_of("red-key")
        streaming = {"json": speech(response_format="pcm"), "headers": headers, "timeout": WAIT_S}
        with httpx.stream("POST", f"{url}/v1/audio/speech", **streaming) as held:
            body = held.iter_raw()
            next(body)
            refused = speak(url, "red-key")
            assert refused.status_code == httpx.codes.TOO_MANY_REQUESTS
            assert refused.json()["error"]["code"] == "too_many_body_bytes"
            synthesizer.hold_at = None
            assert speak(url, "blue-key").status_code == httpx.codes.OK
            synthesizer.release()
            list(body)

        def served():
            return speak(url, "red-key", "t").status_code == httpx.codes.OK

        eventually_sync(served, 10, "the bytes of the request that ended are free")


def test_a_refused_request_with_a_body_does_not_keep_its_connection():
    with serving(FakeSynthesizer(), keys=KEYS) as url:
        for secret, path, status in (
            ("wrong", "/v1/audio/speech", 401),
            ("blue-key", "/v1/admin/stop", 403),
            ("red-key", "/nowhere", 404),
        ):
            with closing(begun(url, path=path, secret=secret)) as client:
                assert until_closed(client).startswith(f"HTTP/1.1 {status} ".encode())


def test_a_refused_request_whose_body_has_come_keeps_its_connection():
    with serving(FakeSynthesizer()) as url, httpx.Client(base_url=url) as client:
        refused = client.post("/v1/audio/speech", json=speech(colour="red"))
        assert refused.status_code == httpx.codes.BAD_REQUEST
        assert "connection" not in refused.headers
