"""Clients that hold or flood a server, in a process of their own, until they are told to end.

    python -m loadtests.attackers slow-bodies http://127.0.0.1:8000 560

The key is that of CHATTERBOX_API_KEY. What the server ends is begun again a second later. SIGTERM
ends the process, which then writes one JSON object: how often each answer came. Knows nothing about
what the attack does to others.
"""

import argparse
import asyncio
import contextlib
import json
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Mapping
from urllib.parse import SplitResult, urlsplit

import websockets

from app.client.socket_speech import stream_address
from app.client.speech_client import key_headers
from loadtests.bench import check_host

SPEECH = "/v1/audio/speech"
AGAIN_S = 1.0
BODY_BYTES = 5000
BODY_PART = b'{"model": "english",'
SMALL_BUFFER = 4096  # bytes of a reader that reads nothing
LONG_TEXT = "You talk and talk, and there is nobody who would listen to a word of it. " * 12
STOP_WITHIN_S = 20.0


class Target:
    """The server, and the count of its answers."""

    def __init__(self, url: str, model: str, voice: str) -> None:
        self.url = url.rstrip("/")
        self.model, self.voice = model, voice
        self.answers: Counter[str] = Counter()

    @property
    def parts(self) -> SplitResult:
        return urlsplit(self.url)

    def head(self, method: str, path: str, **more: object) -> bytes:
        headers = {"Host": self.parts.netloc, **key_headers(), **more}
        lines = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in headers.items())
        return f"{method} {self.parts.path}{path} HTTP/1.1\r\n{lines}\r\n".encode()

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.open_connection(self.parts.hostname, self.parts.port or 80)


async def slow_body(target: Target) -> None:
    """Sends 20 bytes of a body and waits until the server closes the connection."""
    reader, writer = await target.connect()
    try:
        head = target.head(
            "POST", SPEECH, Content_Length=BODY_BYTES, Content_Type="application/json"
        )
        writer.write(head + BODY_PART)
        status = (await reader.readline()).split(b" ")
        target.answers[status[1].decode() if len(status) > 1 else "closed"] += 1
        await reader.read()
    finally:
        writer.close()


async def idle_socket(target: Target) -> None:
    """Opens a speech socket and says nothing until the server closes it."""
    address = stream_address(target.url)
    try:
        headers = key_headers()
        async with websockets.connect(
            address, additional_headers=headers, open_timeout=60, proxy=None
        ) as opened:
            target.answers["open"] += 1
            await opened.wait_closed()
    except websockets.InvalidStatus as refused:
        target.answers[str(refused.response.status_code)] += 1


async def small_requests(target: Target) -> None:
    """One request after another on one connection, without a pause."""
    reader, writer = await target.connect()
    try:
        while True:
            writer.write(target.head("GET", "/v1/models"))
            head = await reader.readuntil(b"\r\n\r\n")
            target.answers[head.split(b" ", 2)[1].decode()] += 1
            length = head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0]
            await reader.readexactly(int(length))
            if b"connection: close" in head.lower():
                return
    finally:
        writer.close()


async def stalled_reader(target: Target) -> None:
    """Asks for a long stream and reads nothing of it."""
    loop = asyncio.get_running_loop()
    body = {"model": target.model, "voice": target.voice, "input": LONG_TEXT}
    content = json.dumps({**body, "response_format": "pcm"}).encode()
    head = target.head("POST", SPEECH, Content_Length=len(content), Content_Type="application/json")
    with socket.socket() as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SMALL_BUFFER)
        client.setblocking(False)
        await loop.sock_connect(client, (target.parts.hostname, target.parts.port or 80))
        await loop.sock_sendall(client, head + content)
        target.answers["asked"] += 1
        await asyncio.Event().wait()


ATTACKS: Mapping[str, Callable[[Target], Awaitable[None]]] = {
    "slow-bodies": slow_body,
    "idle-sockets": idle_socket,
    "small-requests": small_requests,
    "stalled-readers": stalled_reader,
}


async def again_and_again(target: Target, attack: Callable[[Target], Awaitable[None]]) -> None:
    while True:
        try:
            await attack(target)
        except (OSError, EOFError, ValueError, websockets.WebSocketException) as error:
            target.answers[type(error).__name__] += 1
        await asyncio.sleep(AGAIN_S)


async def run(target: Target, attack: str, num: int) -> None:
    """Until SIGTERM."""
    over = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, over.set)
    tasks = [asyncio.ensure_future(again_and_again(target, ATTACKS[attack])) for _ in range(num)]
    await over.wait()
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


@contextlib.contextmanager
def attacking(
    url: str, attack: str, num: int, environment: Mapping[str, str], **named: str
) -> Iterator[dict[str, object]]:
    """`num` attackers in a process of their own. The mapping has their count of answers after the
    block. `named`: the server's model and voice."""
    counted: dict[str, object] = {}
    options = [f"--{name}={value}" for name, value in named.items()]
    command = [sys.executable, "-m", "loadtests.attackers", attack, url, str(num), *options]
    process = subprocess.Popen(command, env=dict(environment), stdout=subprocess.PIPE, text=True)
    try:
        yield counted
    finally:
        process.terminate()
        try:
            lines = process.communicate(timeout=STOP_WITHIN_S)[0].splitlines()
            counted |= json.loads(lines[-1]) if lines else {}
        finally:
            process.kill()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("attack", choices=ATTACKS)
    parser.add_argument("url")
    parser.add_argument("num", type=int)
    parser.add_argument("--model", default="embedded")
    parser.add_argument("--voice", default="ada")
    args = parser.parse_args()
    check_host(args.url, allow_remote=False)
    target, began_s = Target(args.url, args.model, args.voice), time.monotonic()
    asyncio.run(run(target, args.attack, args.num))
    report = {"answers": dict(target.answers), "seconds": round(time.monotonic() - began_s, 1)}
    sys.stdout.write(json.dumps(report) + "\n")


if __name__ == "__main__":
    main()
