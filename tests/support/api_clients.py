"""Clients of the HTTP interface: in this process, and of a server in a thread of its own."""

import contextlib
import json
import socket
import threading

import httpx
import uvicorn

from app.api.app import create_app
from app.api.slow_readers import ReaderWatch
from app.config import Limits


def speech(**changes):
    """A good request body, with changes; a change to `...` removes the field."""
    body = {"model": "english", "input": "Hello there.", "voice": "default", **changes}
    return {name: value for name, value in body.items() if value is not ...}


def events_of(body):
    """The server-sent events of a body, in order."""
    return [json.loads(line.removeprefix("data: ")) for line in body.split("\n\n") if line]


@contextlib.asynccontextmanager
async def in_process(synthesizer, limits=None, *, breaks_off=False, **options):
    """`breaks_off`: the answer may break off; what came before is its body."""
    app = create_app(synthesizer, limits or Limits(), **options)
    transport = httpx.ASGITransport(app, raise_app_exceptions=not breaks_off)
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
        yield client


@contextlib.contextmanager
def serving(synthesizer, limits=None, *, proxied=lambda app: app, port=0, **options):
    """The URL of a server that runs in a thread of its own. `proxied` gets the application and
    returns what uvicorn serves. `port` 0: any free one."""
    listener = socket.create_server(("127.0.0.1", port))
    app = ReaderWatch(proxied(create_app(synthesizer, limits or Limits(), **options)))
    config = uvicorn.Config(app, log_config=None, ws="websockets-sansio")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(30)
        listener.close()
    assert not thread.is_alive()
