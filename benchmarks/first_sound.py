"""Why a client hears the first sound long after its server has logged it as sent: each suspect
alone, over HTTP and over a socket.

    python benchmarks/first_sound.py
    python benchmarks/first_sound.py --rounds 9 --token-s 0.04 --flow-s 0.19

A real uvicorn server in a process of its own speaks one sentence. Its T3 and its flow are sleeps
that take the times of the options (the default: the server that started this project). The client
and the server read the same monotonic clock. The lag of a row is the time from the server's note
"sent" to the client's first byte of sound. The last line is one JSON object. Knows nothing about
models or Ray.
"""

import argparse
import asyncio
import json
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Sequence
from statistics import median
from typing import NamedTuple

import httpx
import uvicorn
import websockets
from fastapi import FastAPI, WebSocket
from starlette.responses import StreamingResponse

CELLS = (12, 25, 25)  # tokens
BYTES_PER_TOKEN = 960 * 2
LARGE_READ_BYTES = 48_000  # a second of sound, more than the first cell has
DEVICE_S = 0.25  # stated, not measured: opening an audio device blocks for about this long


class Suspect(NamedTuple):
    """One way to build the server, and one way to read it."""

    name: str
    has_queue: bool = False  # a second task sends what the first one makes
    is_blocking: bool = False  # T3's steps hold the event loop
    read_bytes: int | None = None  # the client waits until it has this much
    opens_device: bool = False  # the client does so on its loop when the answer begins


SUSPECTS = (
    Suspect("loopback, and flow in a thread"),
    Suspect("T3 holds the loop, the same task sends", is_blocking=True),
    Suspect("the client reads a second of sound at once", read_bytes=LARGE_READ_BYTES),
    Suspect("the client opens its device on its loop", opens_device=True),
    Suspect("a queue before the send, T3 leaves the loop free", has_queue=True),
    Suspect("a queue before the send, T3 holds the loop", has_queue=True, is_blocking=True),
)


# The server


def server_app(token_s: float, flow_s: float) -> FastAPI:
    app = FastAPI()
    notes: dict[str, float] = {}

    async def cells(suspect: Suspect) -> AsyncIterator[bytes]:
        for index, num_tokens in enumerate(CELLS):
            for _ in range(num_tokens):
                if suspect.is_blocking:
                    time.sleep(token_s)  # noqa: ASYNC251  the fault that is measured
                else:
                    await asyncio.sleep(token_s)
            await asyncio.to_thread(time.sleep, flow_s)
            if index == 0:
                notes["sent"] = time.monotonic()
            yield bytes(num_tokens * BYTES_PER_TOKEN)

    async def queued(suspect: Suspect) -> AsyncIterator[bytes]:
        queue: asyncio.Queue[bytes | None] = asyncio.Queue()

        async def make() -> None:
            async for cell in cells(suspect):
                queue.put_nowait(cell)
            queue.put_nowait(None)

        making = asyncio.create_task(make())
        while (cell := await queue.get()) is not None:
            yield cell
        await making

    def speech(number: int) -> AsyncIterator[bytes]:
        notes.clear()
        notes["received"] = time.monotonic()
        suspect = SUSPECTS[number]
        return queued(suspect) if suspect.has_queue else cells(suspect)

    @app.get("/speech/{number}")
    async def over_http(number: int) -> StreamingResponse:
        return StreamingResponse(speech(number))

    @app.websocket("/speech/{number}")
    async def over_socket(websocket: WebSocket, number: int) -> None:
        await websocket.accept()
        async for cell in speech(number):
            await websocket.send_bytes(cell)
        await websocket.close()

    @app.get("/notes")
    async def read_notes() -> dict[str, float]:
        return notes

    return app


# The client


async def listen_http(url: str, number: int, suspect: Suspect) -> float:
    """When the first sound was read, on the monotonic clock."""
    async with (
        httpx.AsyncClient(timeout=60) as client,
        client.stream("GET", f"{url}/speech/{number}") as response,
    ):
        return await _first(response.aiter_raw(suspect.read_bytes), suspect)


async def listen_socket(url: str, number: int, suspect: Suspect) -> float:
    address = f"ws{url.removeprefix('http')}/speech/{number}"
    async with websockets.connect(address, proxy=None) as connection:

        async def sound() -> AsyncIterator[bytes]:
            held = b""
            async for frame in connection:
                held += frame if isinstance(frame, bytes) else frame.encode()
                if len(held) >= (suspect.read_bytes or 1):
                    yield held
                    held = b""

        return await _first(sound(), suspect)


async def _first(sound: AsyncIterator[bytes], suspect: Suspect) -> float:
    """Reads to the end, so that the server never writes to a client that has left."""
    first_s = None
    async for _ in sound:
        if first_s is None:
            if suspect.opens_device:
                time.sleep(DEVICE_S)  # noqa: ASYNC251  the fault that is measured
            first_s = time.monotonic()
    assert first_s is not None
    return first_s


TRANSPORTS = {"http": listen_http, "socket": listen_socket}


async def measure(url: str, rounds: int) -> list[dict[str, object]]:
    rows = []
    async with httpx.AsyncClient(timeout=60) as client:
        for number, suspect in enumerate(SUSPECTS):
            for transport, listen in TRANSPORTS.items():
                lags, totals, own = [], [], []
                for _ in range(rounds):
                    began_s = time.monotonic()
                    first_s = await listen(url, number, suspect)
                    notes = (await client.get(f"{url}/notes")).json()
                    lags.append(first_s - notes["sent"])
                    totals.append(first_s - began_s)
                    own.append(notes["sent"] - notes["received"])
                rows.append(
                    {
                        "suspect": suspect.name,
                        "transport": transport,
                        "lag_ms": round(median(lags) * 1000, 1),
                        "client_ms": round(median(totals) * 1000, 1),
                        "server_ms": round(median(own) * 1000, 1),
                    }
                )
    return rows


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--token-s", type=float, default=0.04, help="of one step of T3")
    parser.add_argument("--flow-s", type=float, default=0.19, help="of one call of the flow")
    parser.add_argument("--serve", type=int, help=argparse.SUPPRESS)  # a listening socket
    return parser.parse_args(arguments)


def main() -> None:
    options = parse(sys.argv[1:])
    if options.serve is not None:
        config = uvicorn.Config(server_app(options.token_s, options.flow_s), log_level="error")
        uvicorn.Server(config).run(sockets=[socket.socket(fileno=options.serve)])
        return
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        times = [f"--token-s={options.token_s}", f"--flow-s={options.flow_s}"]
        command = [sys.executable, __file__, f"--serve={listener.fileno()}", *times]
        with subprocess.Popen(command, pass_fds=[listener.fileno()]) as server:
            try:
                rows = asyncio.run(measure(url, options.rounds))
            finally:
                server.terminate()
    sys.stdout.write("suspect | transport | lag ms | client's first sound ms | server's ms\n")
    for row in rows:
        sys.stdout.write(" | ".join(str(value) for value in row.values()) + "\n")
    report = {"benchmark": "first_sound", "token_s": options.token_s, "flow_s": options.flow_s}
    sys.stdout.write(json.dumps({**report, "rows": rows}) + "\n")


if __name__ == "__main__":
    main()
