"""Streams from a real server: audio before the end, and every way in which a stream can stop."""

import base64
import json
import socket
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from app.audio.formats import FORMATS
from app.audio.pcm import to_s16le
from app.errors import SynthesisFailed
from tests.support.api_clients import events_of, serving, speech
from tests.support.fakes import FakeSynthesizer, tone

CHUNK_BYTES = 5 * 960 * 2  # of the fake's pcm
WAIT_S = 30


def post(url, session_id="s", **changes):
    body = speech(**{"response_format": "pcm", **changes})
    headers = {"X-Request-ID": session_id}
    return httpx.stream("POST", f"{url}/v1/audio/speech", json=body, headers=headers, timeout=10)


def take(stream, num_bytes):
    """The next `num_bytes` of a body that may still be growing."""
    taken = b""
    while len(taken) < num_bytes:
        taken += next(stream)
    return taken


@pytest.mark.parametrize("response_format", sorted(FORMATS))
def test_audio_arrives_before_the_rest_is_made(response_format):
    synthesizer = FakeSynthesizer(hold_at=1)
    with serving(synthesizer) as url, post(url, response_format=response_format) as response:
        body = response.iter_raw()
        head = next(body)
        synthesizer.wait_until_holding()
        assert synthesizer.ended == []
        synthesizer.release()
        rest = b"".join(body)
    assert len(head) > 44
    assert len(rest) > 1000
    assert synthesizer.ended == [("s", "finished")]


@pytest.mark.parametrize("stream_format", ["audio", "sse"])
@pytest.mark.parametrize("hold_at", [0, 1])
def test_a_client_that_leaves_ends_its_session(stream_format, hold_at):
    synthesizer = FakeSynthesizer(hold_at=hold_at)
    with serving(synthesizer) as url:
        if hold_at:
            with post(url, stream_format=stream_format) as response:
                parts = response.iter_raw()  # a dropped iterator closes its answer
                next(parts)
                synthesizer.wait_until_holding()
        else:
            leave_before_an_answer(url, synthesizer, stream_format=stream_format)
        synthesizer.wait_until_closed()
    assert synthesizer.ended == [("s", "closed")]


def test_a_client_that_leaves_ends_its_whole_file():
    synthesizer = FakeSynthesizer(hold_at=2)
    with serving(synthesizer) as url:
        leave_before_an_answer(url, synthesizer, stream=False)
        synthesizer.wait_until_closed()
    assert synthesizer.ended == [("s", "closed")]


def leave_before_an_answer(url, synthesizer, **changes):
    body = json.dumps(speech(response_format="pcm", **changes)).encode()
    host, port = url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port))) as connection:
        connection.sendall(
            b"POST /v1/audio/speech HTTP/1.1\r\nHost: localhost\r\nX-Request-ID: s\r\n"
            b"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body) + body
        )
        synthesizer.wait_until_holding()


def test_a_server_speaks_on_after_a_client_left():
    synthesizer = FakeSynthesizer(hold_at=1)
    with serving(synthesizer) as url:
        with post(url) as response:
            parts = response.iter_raw()
            next(parts)
            synthesizer.wait_until_holding()
        synthesizer.wait_until_closed()
        synthesizer.hold_at = None
        with post(url, "t") as response:
            assert len(response.read()) == synthesizer.num_samples * 2


def test_a_cancelled_stream_of_audio_ends_cleanly():
    synthesizer = FakeSynthesizer(hold_at=1)
    with serving(synthesizer) as url, post(url) as response:
        body = response.iter_raw()
        heard = take(body, CHUNK_BYTES)
        synthesizer.wait_until_holding()
        ack = httpx.post(f"{url}/cancel/s").json()
        assert b"".join(body) == b""
    assert heard == to_s16le(tone(5 * 960))
    assert ack["state"] == "stopped"
    assert synthesizer.ended == [("s", "cancelled")]


def test_a_cancelled_stream_of_events_says_so():
    synthesizer = FakeSynthesizer(hold_at=1)
    with serving(synthesizer) as url, post(url, stream_format="sse") as response:
        lines = response.iter_lines()
        delta = json.loads(next(lines).removeprefix("data: "))
        synthesizer.wait_until_holding()
        httpx.delete(f"{url}/v1/audio/speech/s")
        done = json.loads([line for line in lines if line][-1].removeprefix("data: "))
    assert base64.b64decode(delta["audio"]) == to_s16le(tone(5 * 960))
    assert (done["type"], done["finish_reason"]) == ("speech.audio.done", "cancelled")
    assert done["timing"]["audio_ms"] == 200.0


@pytest.mark.parametrize(("stream", "hold_at"), [(False, 0), (False, 2), (True, 0)])
def test_a_cancel_before_the_first_bytes_is_a_204(stream, hold_at):
    synthesizer = FakeSynthesizer(hold_at=hold_at)

    def cancel_when_held():
        synthesizer.wait_until_holding()
        return httpx.post(f"{url}/cancel/s")

    with serving(synthesizer) as url, ThreadPoolExecutor(1) as pool:
        cancelled = pool.submit(cancel_when_held)
        with post(url, stream=stream) as response:
            assert response.read() == b""
        assert cancelled.result().json()["state"] == "stopped"
    assert response.status_code == 204
    assert response.headers["x-request-id"] == "s"
    assert "content-type" not in response.headers


@pytest.mark.parametrize("error", [SynthesisFailed("lost"), KeyError("lost")])
def test_an_error_breaks_raw_audio_off(error, caplog):
    synthesizer = FakeSynthesizer(fail_at=1, error=error)
    assert heard_until_it_breaks(synthesizer) == to_s16le(tone(5 * 960))
    assert synthesizer.ended == [("s", "failed")]
    assert [r.getMessage() for r in caplog.records if r.name == "app.api.speech_response"] == [
        "session s failed"
    ]


def heard_until_it_breaks(synthesizer):
    with serving(synthesizer) as url:
        return until_it_breaks(post(url))


def until_it_breaks(request):
    with request as response:
        assert response.status_code == 200
        heard, body = [], response.iter_raw()
        with pytest.raises(httpx.RemoteProtocolError):
            heard.extend(body)  # keeps what came before the error
    return b"".join(heard)


@pytest.mark.parametrize("path", ["v1/audio/speech", "api/vox_speak_wav_stream"])
def test_a_stream_of_events_breaks_off_after_its_error(path):
    error = SynthesisFailed("lost")
    synthesizer = FakeSynthesizer(fail_at=2, error=error, segment_per_chunk=True)
    body = {"text": "Hello."} if path.startswith("api") else speech(stream_format="sse")
    with serving(synthesizer) as url:
        request = httpx.stream("POST", f"{url}/{path}", json=body, timeout=10)
        told = until_it_breaks(request)
    last = events_of(told.decode())[-1]
    assert last["type"].endswith("error")
    assert last["error"]["code"] == "synthesis_failed"


def test_a_clean_end_is_detected():
    with pytest.raises(pytest.fail.Exception, match="DID NOT RAISE"):
        heard_until_it_breaks(FakeSynthesizer())


def test_two_streams_do_not_wait_for_each_other():
    synthesizer = FakeSynthesizer(hold_at=1)
    with serving(synthesizer) as url, post(url, "a") as first, post(url, "b") as second:
        bodies = [first.iter_raw(), second.iter_raw()]
        heads = [take(body, CHUNK_BYTES) for body in bodies]
        assert heads[0] == heads[1]
        synthesizer.release()
        assert [len(b"".join(body)) for body in bodies] == [2 * CHUNK_BYTES] * 2
