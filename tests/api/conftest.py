"""Clients in front of a fake synthesizer: in the process, and behind a real server."""

import contextlib
import socket
import threading

import httpx
import pytest
import uvicorn

from app.api.app import create_app
from app.config import Limits
from tests.support.fakes import FakeSynthesizer


@pytest.fixture
def synthesizer():
    return FakeSynthesizer()


@pytest.fixture
def folder(tmp_path):
    """Of a voice library."""
    return tmp_path / "library"


def speech(**changes):
    """A good request body, with changes; a change to `...` removes the field."""
    body = {"model": "english", "input": "Hello there.", "voice": "default", **changes}
    return {name: value for name, value in body.items() if value is not ...}


@contextlib.asynccontextmanager
async def in_process(synthesizer, limits=None, **options):
    app = create_app(synthesizer, limits or Limits(), **options)
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
        yield client


@contextlib.contextmanager
def serving(synthesizer, limits=None, **options):
    """The URL of a server that runs in a thread of its own."""
    listener = socket.create_server(("127.0.0.1", 0))
    app = create_app(synthesizer, limits or Limits(), **options)
    config = uvicorn.Config(app, log_config=None, ws="websockets-sansio")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(10)
        listener.close()
    assert not thread.is_alive()
