"""Clients that ask for speech and read nothing, over real sockets with small buffers, on every
route. The lane `proxied` passes messages on without back-pressure, as Ray Serve's own proxy does.
"""

import asyncio
import socket
import time
from contextlib import suppress
from functools import partial

import pytest

from app.api.slow_readers import TELL_AFTER_S, ReaderLimit
from app.config import Limits
from app.core import DEFAULT_TENANT, FinishReason, SessionKey
from app.errors import ReaderStalled
from tests.support.api_clients import serving, speech
from tests.support.eventually import eventually
from tests.support.live_synthesizer import CHUNK_TOKENS, LiveSynthesizer
from tests.support.stalled_clients import connected, post, say, speak_on_a_socket

pytestmark = pytest.mark.full

WAIT_S = 30
NUM_CHUNKS = 500  # of 0.2 s: 4.8 MB of pcm
LIMITS = Limits(stalled_reader_s=1, send_ahead_s=1)
PCM_PER_S = 48_000
MOST_UNREAD_BYTES = 480_000  # lead_s of pcm
VOX = {"text": "Hello there.", "voice": "default"}


class WithoutBackPressure:
    """As Ray Serve between its proxy and a replica: what the application sends is put into a queue
    at once, and goes to the socket from there."""

    def __init__(self, app):
        self._app = app

    async def __call__(self, scope, receive, send):
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        sent = asyncio.Queue()
        running = asyncio.ensure_future(self._app(scope, receive, sent.put))
        running.add_done_callback(lambda _: sent.put_nowait(None))
        try:
            while (message := await sent.get()) is not None:
                await send(message)
        finally:
            running.cancel()
            await asyncio.wait({running})


def directly(app):
    return app


@pytest.fixture(params=[directly, WithoutBackPressure], ids=["direct", "proxied"])
def lane(request):
    return request.param


@pytest.fixture
def synthesizer():
    return LiveSynthesizer(NUM_CHUNKS, chunk_s=0.0, limits=LIMITS)


STREAMS = {
    "pcm": lambda client: post(client, "/v1/audio/speech", speech(response_format="pcm")),
    "wav": lambda client: post(client, "/v1/audio/speech", speech(response_format="wav")),
    "sse": lambda client: post(
        client, "/v1/audio/speech", speech(response_format="pcm", stream_format="sse")
    ),
    "socket, base64": speak_on_a_socket,
    "socket, binary": lambda client: speak_on_a_socket(client, "binary"),
}
FILES = {
    "file": lambda client: post(
        client, "/v1/audio/speech", speech(response_format="wav", stream=False)
    ),
    "desktop's file": lambda client: post(client, "/api/vox_speak_wav", VOX),
    "desktop's files": lambda client: post(client, "/api/vox_speak_wav_stream", VOX),
}


def reports_of(synthesizer):
    return [report for report in synthesizer.reports() if report.finish is not None]


@pytest.mark.parametrize("speak", STREAMS.values(), ids=STREAMS)
async def test_a_stream_that_nobody_reads_is_ended_and_little_of_it_is_made(
    synthesizer, lane, speak
):
    with serving(synthesizer, LIMITS, proxied=lane) as url, connected(url) as client:
        speak(client)
        (report,) = await eventually(lambda: reports_of(synthesizer), WAIT_S, "the session ends")
        assert (report.finish, report.cause) == (FinishReason.CANCELLED, "reader_stalled")
        made_s = synthesizer.num_made * CHUNK_TOKENS / 25
        assert made_s * PCM_PER_S < MOST_UNREAD_BYTES
        await eventually(lambda: was_cut_off(client), WAIT_S, "the connection is closed")


@pytest.mark.parametrize("speak", FILES.values(), ids=FILES)
async def test_a_file_that_nobody_reads_is_cut_off(synthesizer, lane, speak):
    """Its session has ended before: all of its sound is one answer."""
    with serving(synthesizer, LIMITS, proxied=lane) as url, connected(url) as client:
        speak(client)
        await eventually(lambda: reports_of(synthesizer), WAIT_S, "the session ends")
        await eventually(lambda: was_cut_off(client), WAIT_S, "the connection is closed")


async def test_every_context_of_a_socket_that_nobody_reads_ends(synthesizer, lane):
    with serving(synthesizer, LIMITS, proxied=lane) as url, connected(url) as client:
        speak_on_a_socket(client, contexts="abc")
        await eventually(lambda: len(reports_of(synthesizer)) == 3, WAIT_S, "three sessions end")
        assert {report.cause for report in reports_of(synthesizer)} == {"reader_stalled"}
        for number in range(3):
            context = SessionKey(DEFAULT_TENANT, f"stalled-{number}")
            ended = partial(finish_of, synthesizer, context)
            await eventually(ended, WAIT_S, "the end is told")
            report = await synthesizer.session(context)
            assert (report.finish, report.cause) == (FinishReason.CANCELLED, "reader_stalled")


async def finish_of(synthesizer, key):
    return (await synthesizer.session(key)).finish


def was_cut_off(client):
    """Without reading: the server's reset is an error of the socket."""
    return client.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) != 0


@pytest.mark.parametrize("name", ["pcm", "socket, binary"])
async def test_a_client_that_reads_slowly_hears_all(lane, name):
    """Each message is taken within the limit, the whole takes several times as long."""
    speak, synthesizer = STREAMS[name], LiveSynthesizer(15, chunk_s=0.0, limits=LIMITS)
    with serving(synthesizer, LIMITS, proxied=lane) as url, connected(url) as client:
        speak(client)
        reading = asyncio.ensure_future(asyncio.to_thread(read_slowly, client))
        (report,) = await eventually(lambda: reports_of(synthesizer), WAIT_S, "the session ends")
        assert (report.finish, report.cause) == (FinishReason.STOP, "finished")
        client.shutdown(socket.SHUT_RDWR)
        await reading


def read_slowly(client):
    with suppress(ConnectionError):
        while client.recv(65_536):
            time.sleep(0.02)


# -- a stop does not wait for a full socket --------------------------------------------------------


PATIENT = Limits(stalled_reader_s=60, send_ahead_s=1)


async def until_full(synthesizer):
    """Returns once the transport takes nothing more, and so no sound is made."""
    seen = [0]

    def is_full():
        seen.append(synthesizer.num_made)
        return seen[-1] == seen[-2] > 0

    await eventually(is_full, WAIT_S, "no more sound is made", every_s=2 * TELL_AFTER_S)


async def test_a_cancel_on_a_full_socket_stops_its_session_at_once(lane):
    synthesizer = LiveSynthesizer(NUM_CHUNKS, chunk_s=0.0, limits=PATIENT)
    with serving(synthesizer, PATIENT, proxied=lane) as url, connected(url) as client:
        speak_on_a_socket(client, contexts="ab")
        await until_full(synthesizer)
        say(client, "text", "nobody", text="an error, whose answer cannot be sent")
        say(client, "cancel", "b")
        await eventually(lambda: reports_of(synthesizer), WAIT_S, "the session of b ends")
        (report,) = reports_of(synthesizer)
        assert (report.session_id, report.cause) == ("stalled-1-0", "cancel")


async def test_a_cancel_of_a_stream_that_nobody_reads_ends_it_at_once(lane):
    synthesizer = LiveSynthesizer(NUM_CHUNKS, chunk_s=0.0, limits=PATIENT)
    with serving(synthesizer, PATIENT, proxied=lane) as url, connected(url) as client:
        STREAMS["pcm"](client)
        await until_full(synthesizer)
        with connected(url) as other:
            other.sendall(b"POST /cancel/stalled HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
            await eventually(lambda: reports_of(synthesizer), WAIT_S, "the session ends")
        (report,) = reports_of(synthesizer)
        assert (report.finish, report.cause) == (FinishReason.CANCELLED, "cancel")


# -- the limit alone -------------------------------------------------------------------------------


async def test_a_send_that_is_never_taken_raises():
    async def app(scope, receive, send):
        with pytest.raises(ReaderStalled, match=r"limits\.stalled_reader_s"):
            await send({"type": "http.response.start"})

    async def never(_=None):
        await asyncio.Event().wait()

    await ReaderLimit(app, stalled_s=0.02)({"type": "http"}, never, never)
