"""A server with the routes that a load test uses, and with faults on demand.

Without knobs the server is good: all audio comes at once, cancels are obeyed, wrong requests are
refused with a code. Each knob makes one fault that a load test must see.
"""

import asyncio
import contextlib
import json
import socket
import threading
import time
from dataclasses import dataclass, field

import uvicorn
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

BYTES_PER_S = 48_000
PART_S = 0.2
LONGEST_TEXT = 4096
FIELDS = {"model", "voice", "input", "response_format", "stream", "speed", "start"}


@dataclass
class Knobs:
    audio_s: float = 0.6  # of every session
    first_audio_s: float = 0.0  # delay of the first audio
    is_serial: bool = False  # serves one session at a time
    stall_s: float = 0.0  # between the first part and the second
    num_held: int = 0  # the next sessions that hang after their first part until a cancel
    is_full: bool = False  # 503
    crashes: bool = False  # 500
    acknowledges: bool = True
    obeys: bool = True  # stops after an acknowledged cancel
    truncates: bool = False  # ends normally with half of the audio
    breaks_off: bool = False
    has_uploads: bool = True
    names_refusals: bool = True
    capacity: int | None = None  # that /health claims
    told_s: float | None = None  # the prebuffer that a player is told


@dataclass
class Session:
    cancelled: asyncio.Event = field(default_factory=asyncio.Event)
    audio_s: float = 0.0
    finish: str | None = None
    received_s: float = field(default_factory=time.monotonic)


class FakeServer:
    def __init__(self, knobs):
        self.knobs = knobs
        self.sessions = {}
        self.starts = []  # that the requests asked for
        self.voices = ["ada"]
        self._one = asyncio.Lock()
        self.app = Starlette(
            routes=[
                Route("/health", self.health),
                Route("/v1/models", self.models),
                Route("/v1/audio/voices", self.list_voices),
                Route("/v1/audio/voices", self.add_voice, methods=["POST"]),
                Route("/v1/audio/voices/{voice}", self.delete_voice, methods=["DELETE"]),
                Route("/v1/audio/speech", self.speech, methods=["POST"]),
                Route("/cancel/{session_id}", self.cancel, methods=["POST"]),
                Route("/v1/sessions/{session_id}", self.session),
            ]
        )

    async def health(self, request):
        return JSONResponse({"capacity": self.knobs.capacity})

    async def models(self, request):
        return JSONResponse({"data": [{"id": "fake"}]})

    async def list_voices(self, request):
        return JSONResponse({"voices": [{"id": voice} for voice in self.voices]})

    async def add_voice(self, request):
        if not self.knobs.has_uploads:
            return self.refusal(501, "uploads_off")
        async with request.form() as form:
            content = await form["audio_sample"].read()
            assert content.startswith(b"RIFF")
            assert form["consent"]
            self.voices.append(form["name"])
            return JSONResponse({"id": form["name"]})

    async def delete_voice(self, request):
        self.voices.remove(request.path_params["voice"])
        return JSONResponse({"deleted": True})

    async def session(self, request):
        session = self.sessions.get(request.path_params["session_id"])
        if session is None:
            return self.refusal(404, "session_not_found")
        return JSONResponse(
            {
                "finish": session.finish,
                "audio_sent_ms": session.audio_s * 1000,
                "marks": {"received": session.received_s},
                "legs_ms": {"claim": 1.0, "first_cell": 20.0, "first_audio": 21.0},
            }
        )

    async def cancel(self, request):
        session = self.sessions.setdefault(request.path_params["session_id"], Session())
        if not self.knobs.acknowledges:
            await asyncio.Event().wait()
        state = "already_done" if session.finish else "stopped"
        if self.knobs.obeys:
            session.cancelled.set()
        return JSONResponse({"state": state})

    async def speech(self, request):
        body, refusal = await read(request)
        if refusal is not None:
            return self.refusal(*refusal)
        if self.knobs.crashes:
            return self.refusal(500, "internal_error")
        if self.knobs.is_full:
            return self.refusal(503, "overloaded")
        if body.get("voice") not in self.voices or body.get("model") != "fake":
            return self.refusal(404, "not_found")
        session = self.sessions.setdefault(request.headers.get("x-request-id", "made"), Session())
        self.starts.append(body.get("start"))
        return Speech(self, session, is_whole=body.get("stream") is False)

    def refusal(self, status, code):
        error = {"code": code} if self.knobs.names_refusals else {}
        return JSONResponse({"error": error}, status)


async def read(request: Request):
    """The body, and the status and code of a refusal or None."""
    if not set(request.headers.get("x-request-id", "")) <= set("0123456789abcdef-"):
        return {}, (400, "invalid_value")
    try:
        body = json.loads(await request.body())
    except (ValueError, RecursionError, ClientDisconnect):
        return {}, (400, "invalid_json")
    if not isinstance(body, dict) or body.keys() - FIELDS:
        return {}, (400, "unknown_field")
    text = body.get("input")
    if not isinstance(text, str) or not 1 <= len(text) <= LONGEST_TEXT or "speed" in body:
        return {}, (400, "invalid_value")
    return body, None


class Speech(Response):
    """The answer of one session."""

    def __init__(self, server, session, is_whole):
        self.background = None
        self.server, self.session, self.is_whole = server, session, is_whole

    async def __call__(self, scope, receive, send):
        waiting = self.server._one if self.server.knobs.is_serial else contextlib.nullcontext()
        async with waiting:
            await self.until_cancelled(self.server.knobs.first_audio_s)
            if self.session.cancelled.is_set():
                await self.begin(send, 204)
                self.session.finish = "cancelled"
                await send({"type": "http.response.body", "body": b""})
            elif self.is_whole:
                await self.send_whole(send)
            else:
                await self.send_stream(send)

    async def send_stream(self, send):
        knobs, session = self.server.knobs, self.session
        await self.begin(send, 200)
        num_parts = round(knobs.audio_s / PART_S)
        for number in range(num_parts):
            if number == 1 and knobs.stall_s:
                await self.until_cancelled(PART_S + knobs.stall_s)
            if number == 1 and knobs.num_held > 0:
                knobs.num_held -= 1
                await session.cancelled.wait()
            if session.cancelled.is_set():
                break
            session.audio_s += PART_S
            if knobs.truncates and number >= num_parts // 2:
                continue
            if knobs.breaks_off and number == num_parts - 1:
                session.finish = "error"
                raise BrokenOff
            await send(part_of(bytes(round(PART_S * BYTES_PER_S))))
        session.finish = "cancelled" if session.cancelled.is_set() else "stop"
        await send({"type": "http.response.body", "body": b""})

    async def send_whole(self, send):
        num_bytes = round(self.server.knobs.audio_s * BYTES_PER_S)
        self.session.audio_s, self.session.finish = num_bytes / BYTES_PER_S, "stop"
        sent = num_bytes // 2 if self.server.knobs.truncates else num_bytes
        await self.begin(send, 200)
        await send({"type": "http.response.body", "body": wav_header(num_bytes) + bytes(sent)})

    async def begin(self, send, status):
        told_s = self.server.knobs.told_s
        headers = [] if told_s is None else [(b"x-prebuffer-ms", str(told_s * 1000).encode())]
        await send({"type": "http.response.start", "status": status, "headers": headers})

    async def until_cancelled(self, seconds):
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self.session.cancelled.wait(), seconds)


class BrokenOff(Exception):
    """With this exception, uvicorn closes the connection within the body."""


def part_of(content):
    return {"type": "http.response.body", "body": content, "more_body": True}


def wav_header(num_bytes):
    rate, width = 24_000, 2
    form = (16).to_bytes(4, "little") + b"\1\0\1\0" + rate.to_bytes(4, "little")
    form += (rate * width).to_bytes(4, "little") + b"\2\0\x10\0"
    total = (36 + num_bytes).to_bytes(4, "little")
    return b"RIFF" + total + b"WAVEfmt " + form + b"data" + num_bytes.to_bytes(4, "little")


@contextlib.contextmanager
def fake_server(**knobs):
    """The URL and the server, which runs in a thread of its own."""
    server = FakeServer(Knobs(**knobs))
    listener = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(
        server.app, log_config=None, lifespan="off", timeout_graceful_shutdown=0
    )
    running = uvicorn.Server(config)
    thread = threading.Thread(target=running.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}", server
    finally:
        running.should_exit = True
        thread.join(10)
        listener.close()
    assert not thread.is_alive()
